"""Revoking and reinstating: a page that shows what happens to whom, then one button."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.messages import add_message
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldBooleanWidget

from credentials_portal.core.admin import ReasonForm
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from letters import selectors, services
from letters.admin.viewing import seen
from letters.enums import USER_RETIRED, LetterState, describe_check
from letters.models import ProgramLetter
from letters.selectors import Judgement
from letters.services import LetterNotReinstatableError, LetterNotShowableError

if TYPE_CHECKING:
    from datetime import datetime

    from django.utils.functional import _StrPromise


class RevocationForm(ReasonForm):
    notify = forms.BooleanField(
        label=_("Tell the holders by mail"),
        help_text=_("Only those who could have seen the letter; the reason is not told."),
        required=False,
        widget=UnfoldBooleanWidget,
    )


@dataclass(frozen=True)
class Decision:
    """Something that a person may decide about letters.

    `act` takes what the fields of `form` say, and returns whether it changed a letter.
    """

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
    form: type[ReasonForm] = ReasonForm


REVOKE = Decision(
    name="revoke",
    permission="letters.revoke_letter",
    title=_("Revoke letters"),
    button=_("Revoke"),
    consequence=_(
        "Whoever opens or verifies one of these letters is told that it was withdrawn, and not"
        " why. No grade, command or sweep brings it back: only a person can reinstate it. Nobody"
        " is mailed unless you ask for it."
    ),
    happens=_("It is withdrawn."),
    done=_("Revoked: %d"),
    nothing=_("was revoked already"),
    applies_to=lambda letter: letter.state != LetterState.REVOKED,
    needs_checks=False,
    act=services.revoke_letter,
    form=RevocationForm,
)
REINSTATE = Decision(
    name="reinstate",
    permission="letters.reinstate_letter",
    title=_("Reinstate letters"),
    button=_("Reinstate"),
    consequence=_(
        "These letters become active again under their old address, if they stand up to their"
        " checks or to what was waived. Only holders who were told by mail that their letter was"
        " withdrawn are told of this, too."
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
    request: HttpRequest,
    decision: Decision,
    versions: Mapping[int, int],
    *,
    by: Attribution,
    choices: Mapping[str, Any],
) -> None:
    """Do it to each letter by itself, and tell the reader what became of each.

    `choices` are what the form asks for besides the reason.
    """
    done = told = 0
    uuids = ProgramLetter.objects.filter(pk__in=versions).order_by("pk")
    for pk, uuid in uuids.values_list("pk", "uuid"):
        try:
            with transaction.atomic():
                letter = services.lock_seen_letter(letter_uuid=uuid, seen_version=versions[pk])
                changed = decision.act(letter_uuid=uuid, by=by, **choices)
        except DomainError as refusal:
            add_message(request, messages.ERROR, f"{uuid}: {tell(refusal)}")
        else:
            done += changed
            told += changed and letter.first_visible_at is not None
            if not changed:
                add_message(request, messages.WARNING, f"{uuid}: {decision.nothing}")
    if done:
        add_message(request, messages.SUCCESS, str(decision.done) % done)
    if choices.get("notify"):
        add_message(request, messages.INFO, str(_("Holders told by mail: %d")) % told)


def tell(refusal: DomainError) -> str:
    """A refusal in words, checks included."""
    match refusal:
        case LetterNotReinstatableError():
            told = _("It cannot be reinstated: %s.")
        case LetterNotShowableError():
            told = _("Nothing was done: it is hidden, and it would be shown, but %s.")
        case _:
            return refusal.message
    return str(told) % "; ".join(describe_check(code) for code in refusal.failed_checks)


def _obstacles(decision: Decision, letter: ProgramLetter, judgement: Judgement) -> list[str]:
    if not decision.applies_to(letter):
        return [str(_("not in its state: %s")) % letter.get_state_display()]
    if decision.needs_checks and not judgement.is_valid:
        return [describe_check(code) for code in judgement.failed_checks]
    return []
