"""Mails to the holders of letters: queued with the change that they tell of."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import STUCK, UNFINISHED
from letters.enums import Notice
from letters.models import ProgramLetterConfiguration

LETTER_MAIL = "letters.mail"


class QueuedNotice(NamedTuple):
    """What the holder of a letter is told, and the letter's version that it is about."""

    letter_id: int
    letter_version: int
    notice: Notice


def queue_notices(notices: Sequence[QueuedNotice], *, at: datetime) -> None:
    """Queue one mail for each, in one statement; those of one letter leave in their order."""
    outbox.enqueue(
        LETTER_MAIL,
        [
            outbox.Item(
                cause=f"{letter_id}.{version}",
                payload={"letter": letter_id, "version": version, "notice": notice},
                key=_key(letter_id),
            )
            for letter_id, version, notice in notices
        ],
        at=at,
    )


def queue_notices_of_issue(letters: Sequence[tuple[int, int, int]], *, at: datetime) -> None:
    """Tell the holders of new letters, given as (id, version, program id), whose programs opted in."""
    if not letters:
        return
    opted_in = set(
        ProgramLetterConfiguration.objects.filter(
            program_id__in={program_id for *_, program_id in letters}, mail_on_issue=True
        ).values_list("program_id", flat=True)
    )
    queue_notices(
        [
            QueuedNotice(letter_id, version, Notice.ISSUED)
            for letter_id, version, program_id in letters
            if program_id in opted_in
        ],
        at=at,
    )


def letters_with_good_news_waiting(letter_ids: Collection[int]) -> set[int]:
    """Those of these letters whose mail that they are valid again has not left yet."""
    if not letter_ids:
        return set()
    waiting = OutboxMessage.objects.filter(
        kind=LETTER_MAIL,
        key__in=[_key(letter_id) for letter_id in letter_ids],
        status__in=(*UNFINISHED, *STUCK),
        payload__notice=Notice.VALID_AGAIN,
    )
    return set(waiting.values_list("payload__letter", flat=True))


def _key(letter_id: int) -> str:
    return f"letter:{letter_id}"
