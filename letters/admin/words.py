"""How a letter stands, in words for staff: the state, the reason, the next action."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from letters.enums import (
    IMPORTED_INACTIVE,
    USER_RETIRED,
    LetterAction,
    LetterState,
    PlannedAction,
    Verdict,
    describe_check,
)
from letters.models import LetterEvent, LetterRevalidation, ProgramLetter
from letters.selectors import Check, Judgement

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

REASONS: dict[str, "_StrPromise"] = {
    IMPORTED_INACTIVE: gettext_lazy("it came switched off from another system"),
    USER_RETIRED: gettext_lazy("its holder left"),
    "breaker": gettext_lazy("a breaker holds it until staff releases it"),
    "revoked": gettext_lazy("a person withdrew it"),
}
STATUSES: dict[str, "_StrPromise"] = {
    "pass": gettext_lazy("passes"),
    "fail": gettext_lazy("fails"),
    "waived": gettext_lazy("waived"),
    "unknown": gettext_lazy("cannot be judged"),
}
STATE_COLOURS = {
    LetterState.PENDING: "info",
    LetterState.ACTIVE: "success",
    LetterState.SUSPENDED: "warning",
    LetterState.REVOKED: "danger",
}
STATUS_COLOURS = {"pass": "success", "fail": "danger", "waived": "info", "unknown": "warning"}


def describe_reason(code: str) -> str:
    """Words for why a letter is in its state; empty where nothing needs a reason."""
    return str(REASONS[code]) if code in REASONS else describe_check(code)


def moment(at: datetime) -> str:
    """A date and time in the reader's zone."""
    return date_format(localtime(at), "j F Y, H:i")


def next_action(
    letter: ProgramLetter, judgement: Judgement, queued: LetterRevalidation | None
) -> str:
    """What will happen to the letter next, or what somebody must do."""
    if queued and queued.held_by:
        return _("A breaker holds the change that is due: release run %s.") % queued.held_by
    if judgement.verdict == Verdict.INDETERMINATE:
        return _("The program's runs leave its requirements impossible to meet: correct them.")
    tell: Mapping[str, Callable[..., str]] = {
        LetterState.PENDING: _next_of_pending,
        LetterState.ACTIVE: _next_of_active,
        LetterState.SUSPENDED: _next_of_suspended,
        LetterState.REVOKED: _next_of_revoked,
    }
    return tell[letter.state](letter, judgement, queued)


def _next_of_pending(letter: ProgramLetter, judgement: Judgement, _queued: Any) -> str:
    if not judgement.is_valid:
        return _("Its checks fail: it stays pending, even when its run is released.")
    return _("Look at it and release run %s, which holds it.") % letter.issue_run


def _next_of_active(
    _letter: ProgramLetter, judgement: Judgement, queued: LetterRevalidation | None
) -> str:
    if judgement.planned_action == PlannedAction.REISSUE:
        return _("It is true now, but dated too early: a validation plan issues it again.")
    if judgement.is_valid:
        return _("Nothing: it is true.")
    if queued and queued.due_at:
        return _("It is looked at on %s, and suspended when its grace is over.") % moment(
            queued.due_at
        )
    return _("The next sweep starts its grace, after which it is suspended.")


def _next_of_suspended(letter: ProgramLetter, judgement: Judgement, _queued: Any) -> str:
    if letter.state_reason == IMPORTED_INACTIVE:
        return _("Only a reviewed plan lifts it: validate_letters --letter %s") % letter.uuid
    if judgement.is_valid:
        return _("Its checks pass: it is lifted when it is looked at next.")
    return _("It is lifted by itself once its checks pass or are waived.")


def _next_of_revoked(letter: ProgramLetter, judgement: Judgement, _queued: Any) -> str:
    if letter.state_reason == USER_RETIRED:
        return _("Nothing: it stays withdrawn.")
    if judgement.is_valid:
        return _("Nothing brings it back but a person; its checks pass.")
    return _("Nothing brings it back but a person, and not before its checks pass or are waived.")


@dataclass(frozen=True)
class CheckRow:
    code: str
    words: str
    status: str
    colour: str
    evidence: list[dict[str, Any]]
    is_waivable: bool

    @classmethod
    def of(cls, check: Check, *, is_waivable: bool) -> "CheckRow":
        return cls(
            code=check.code,
            words="" if check.status == "pass" else describe_check(check.code),
            status=str(STATUSES[check.status]),
            colour=STATUS_COLOURS[check.status],
            evidence=[
                {**source, "earned_at": parse_datetime(source["earned_at"] or "")}
                for source in check.evidence
            ],
            is_waivable=is_waivable,
        )


@dataclass(frozen=True)
class Difference:
    """A column that an event changed; `old` and `new` are None where only the change is told."""

    name: str
    old: Any = None
    new: Any = None


@dataclass(frozen=True)
class TimelineEntry:
    event: LetterEvent
    reason: str
    failed_checks: list[str]
    differences: list[Difference]


def timeline(letter: ProgramLetter, events: list[LetterEvent]) -> list[TimelineEntry]:
    """What happened to a letter, the newest first.

    An event keeps only the old values; the new ones are those that the next event replaced.
    """
    entries = []
    values = {name: getattr(letter, name) for name in (*TOLD, *ONLY_NAMED)}
    for event in sorted(events, key=lambda event: event.letter_version, reverse=True):
        entries.append(
            TimelineEntry(
                event,
                reason="" if event.reason in LetterAction else describe_reason(event.reason),
                failed_checks=[describe_check(code) for code in event.failed_checks],
                differences=[
                    Difference(str(name), _told(column, event.before[column]), values[column])
                    for column, name in TOLD.items()
                    if column in event.before
                ]
                + [
                    Difference(str(n)) for column, n in ONLY_NAMED.items() if column in event.before
                ],
            )
        )
        values |= {c: _told(c, event.before[c]) for c in TOLD if c in event.before}
    return entries


TOLD = {
    "issued_at": gettext_lazy("date of issue"),
    "recipient_name": gettext_lazy("name on the letter"),
}
ONLY_NAMED = {
    "requirements_version_id": gettext_lazy("requirements"),
    "evidence": gettext_lazy("evidence"),
    "content_revision_id": gettext_lazy("text"),
}


def _told(column: str, value: Any) -> Any:
    """A value of `LetterEvent.before`, where dates stand as text."""
    return parse_datetime(value) if column == "issued_at" and value else value
