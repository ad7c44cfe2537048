"""The limit on what the portal does to a program's letters by itself."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Q

from credentials_portal.core.history import Attribution, save_with_history
from letters.enums import LetterAction
from letters.models import LetterEvent, ProgramLetter, ProgramLetterConfiguration

WINDOW = timedelta(hours=24)
OPENING = (LetterAction.ISSUED, LetterAction.LIFTED, LetterAction.REISSUED)
CLOSING = (LetterAction.SUSPENDED,)


@dataclass
class Breaker:
    """How many more letters of one program may appear and disappear by themselves now.

    The allowance of a direction is the program's limit less what happened in that direction
    within 24 hours. A program that never had a letter may issue none: staff releases the first.
    """

    to_open: int
    to_close: int

    def lets_open(self) -> bool:
        """Spend one of the letters that may appear; False when none is left."""
        self.to_open -= 1
        return self.to_open >= 0

    def lets_close(self) -> bool:
        """Spend one of the letters that may disappear; False when none is left."""
        self.to_close -= 1
        return self.to_close >= 0


def lock_breaker(program_id: int, *, by: Attribution) -> Breaker:
    """Lock the program's configuration, so that nobody else counts, and take the allowance."""
    lock_configuration(program_id, by=by)
    return read_breaker(program_id, by=by)


def lock_configuration(program_id: int, *, by: Attribution) -> ProgramLetterConfiguration:
    """Lock what the program sets about its letters; it is made where it sets nothing yet."""
    configurations = ProgramLetterConfiguration.objects.filter(program_id=program_id)
    if not configurations.exists():
        # Of two at once, the second finds the first one's.
        with suppress(IntegrityError), transaction.atomic():
            save_with_history(ProgramLetterConfiguration(program_id=program_id), by=by)
    return configurations.select_for_update(no_key=True).get()


def read_breaker(program_id: int, *, by: Attribution) -> Breaker:
    """The allowance as it is now, without a lock: for a dry run."""
    configuration = ProgramLetterConfiguration.objects.filter(program_id=program_id).first()
    limit = settings.LETTER_BREAKER_LIMIT
    if configuration and configuration.breaker_limit is not None:
        limit = configuration.breaker_limit
    spent = LetterEvent.objects.filter(
        letter__program_id=program_id, automatic=True, at__gt=by.at - WINDOW
    ).aggregate(
        opened=Count("pk", filter=Q(action__in=OPENING)),
        closed=Count("pk", filter=Q(action__in=CLOSING)),
    )
    ever_issued = ProgramLetter.objects.filter(
        program_id=program_id, issued_at__isnull=False
    ).exists()
    return Breaker(
        to_open=max(0, limit - spent["opened"]) if ever_issued else 0,
        to_close=max(0, limit - spent["closed"]),
    )
