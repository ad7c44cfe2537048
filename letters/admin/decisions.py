"""Revoking and reinstating: a page that shows what happens to whom, then one button."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.messages import add_message
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from letters import selectors, services
from letters.admin.viewing import seen
from letters.enums import USER_RETIRED, LetterState, describe_check
from letters.models import ProgramLetter
from letters.selectors import Judgement
from letters.services import LetterNotReinstatableError

if TYPE_CHECKING:
    from datetime import datetime

    from django.utils.functional import _StrPromise


@dataclass(frozen=True)
class Decision:
    """Something that a person may decide about letters; `act` returns whether it changed one."""

    name: str
    permission: str
    title: "_StrPromise"
    button: "_StrPromise"
    consequence: "_StrPromise"
    happens: "_StrPromise"
    done: "_StrPromise"
    nothing: "_StrPromise"
    applies_to: Callable[[ProgramLetter], bool]
    needs_checks: bool
    act: Callable[..., bool]


REVOKE = Decision(
    name="revoke",
    permission="letters.revoke_letter",
    title=_("Revoke letters"),
    button=_("Revoke"),
    consequence=_(
        "Whoever opens or verifies one of these letters is told that it was withdrawn, and not"
        " why. No grade, command or sweep brings it back: only a person can reinstate it. Nobody"
        " is mailed."
    ),
    happens=_("It is withdrawn."),
    done=_("Revoked: %d"),
    nothing=_("was revoked already"),
    applies_to=lambda letter: letter.state != LetterState.REVOKED,
    needs_checks=False,
    act=services.revoke_letter,
)
REINSTATE = Decision(
    name="reinstate",
    permission="letters.reinstate_letter",
    title=_("Reinstate letters"),
    button=_("Reinstate"),
    consequence=_(
        "These letters become active again under their old address, if they stand up to their"
        " checks or to what was waived. Nobody is mailed."
    ),
    happens=_("It is active again."),
    done=_("Reinstated: %d"),
    nothing=_("is active already"),
    applies_to=lambda letter: (
        letter.state == LetterState.REVOKED and letter.state_reason != USER_RETIRED
    ),
    needs_checks=True,
    act=services.reinstate_letter,
)


@dataclass(frozen=True)
class Prospect:
    """What a decision would do to one letter; `obstacles` says why it would do nothing."""

    letter: ProgramLetter
    obstacles: list[str]
    seen: str

    @property
    def is_possible(self) -> bool:
        return not self.obstacles


def prospects(
    decision: Decision, versions: Mapping[int, int | None], *, at: "datetime"
) -> list[Prospect]:
    """Judge the chosen letters: given by primary key, with the version that was seen, if any."""
    chosen = ProgramLetter.objects.filter(pk__in=versions)
    judgements = {
        (judgement.user_id, judgement.program_id): judgement
        for judgement in selectors.judge(selectors.letter_subjects(chosen), at=at)
    }
    return [
        Prospect(
            letter,
            _obstacles(decision, letter, judgements[letter.user_id, letter.program_id]),
            seen=seen(letter.pk, versions[letter.pk] or letter.version),
        )
        for letter in chosen.select_related("program", "user").order_by("pk")
    ]


def decide(
    request: HttpRequest, decision: Decision, versions: Mapping[int, int], *, by: Attribution
) -> None:
    """Do it to each letter by itself, and tell the reader what became of each."""
    done = 0
    uuids = ProgramLetter.objects.filter(pk__in=versions).order_by("pk")
    for pk, uuid in uuids.values_list("pk", "uuid"):
        try:
            with transaction.atomic():
                services.lock_seen_letter(letter_uuid=uuid, seen_version=versions[pk])
                changed = decision.act(letter_uuid=uuid, by=by)
        except DomainError as refusal:
            add_message(request, messages.ERROR, f"{uuid}: {tell(refusal)}")
        else:
            done += changed
            if not changed:
                add_message(request, messages.WARNING, f"{uuid}: {decision.nothing}")
    if done:
        add_message(request, messages.SUCCESS, str(decision.done) % done)


def tell(refusal: DomainError) -> str:
    """A refusal in words, checks included."""
    if isinstance(refusal, LetterNotReinstatableError):
        checks = "; ".join(describe_check(code) for code in refusal.failed_checks)
        return str(_("It cannot be reinstated: %s.")) % checks
    return refusal.message


def _obstacles(decision: Decision, letter: ProgramLetter, judgement: Judgement) -> list[str]:
    if not decision.applies_to(letter):
        return [str(_("not in its state: %s")) % letter.get_state_display()]
    if decision.needs_checks and not judgement.is_valid:
        return [describe_check(code) for code in judgement.failed_checks]
    return []
