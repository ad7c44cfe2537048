"""How a letter stands, in words for staff: the state, the reason, the next action."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import OuterRef, Subquery
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
    TemplateStatus,
    Verdict,
    describe_cause,
    describe_check,
    describe_reason,
)
from letters.models import (
    LetterEvent,
    LetterRevalidation,
    ProgramLetter,
    ProgramLetterTemplate,
)
from letters.selectors import Check, Judgement

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

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
        return _("It is looked at on %s, and suspended then if its checks still fail.") % moment(
            queued.due_at
        )
    return _(
        "The next nightly check of all letters gives it its grace; if its checks still fail then, it is suspended."
    )


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
    def of(cls, check: Check, *, is_waivable: bool, titles: Mapping[str, str]) -> "CheckRow":
        return cls(
            code=check.code,
            words="" if check.status == "pass" else describe_check(check.code, titles),
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
    cause: str
    reason: str
    failed_checks: list[str]
    differences: list[Difference]

    @property
    def at(self) -> datetime:
        return self.event.at


@dataclass(frozen=True)
class TextWithdrawn:
    """The text of a letter was withdrawn, which hid it; the letter itself did not change."""

    text: ProgramLetterTemplate
    at: datetime
    reason: str


def timeline(
    letter: ProgramLetter, events: Iterable[LetterEvent], titles: Mapping[str, str]
) -> list[TimelineEntry | TextWithdrawn]:
    """What happened to a letter and to its texts, the newest first; `titles` of elective sets by
    their checks.

    An event keeps only the old values; the new ones are those that the next event replaced.
    """
    newest_first = sorted(events, key=lambda event: event.letter_version, reverse=True)
    texts = _texts(letter, newest_first)
    values = {name: getattr(letter, name) for name in (*TOLD, *ONLY_NAMED)}
    entries: list[TimelineEntry | TextWithdrawn] = []
    until: datetime | None = None
    for event in newest_first:
        if "content_revision_id" in event.before or event.letter_version == 1:
            text = texts.get(values["content_revision_id"])
            if withdrawn := _withdrawal(text, since=event.at, until=until):
                older = (place for place, one in enumerate(entries) if one.at <= withdrawn.at)
                entries.insert(next(older, len(entries)), withdrawn)
            until = event.at
        entries.append(
            TimelineEntry(
                event,
                cause=describe_cause(event.cause),
                reason=_reason(event, titles),
                failed_checks=[]
                if event.failed_checks == [event.reason]
                else [describe_check(code, titles) for code in event.failed_checks],
                differences=_differences(event, values, texts),
            )
        )
        values |= {column: event.before[column] for column in TOLD if column in event.before}
    return entries


def _reason(event: LetterEvent, titles: Mapping[str, str]) -> str:
    """Why it happened; what ends a suspension tells what it had been for."""
    reason = "" if event.reason in LetterAction else describe_reason(event.reason, titles)
    ends_suspension = (event.from_state, event.to_state) == (
        LetterState.SUSPENDED,
        LetterState.ACTIVE,
    )
    return _("it had been suspended: %s") % reason if reason and ends_suspension else reason


TOLD = {
    "issued_at": gettext_lazy("date of issue"),
    "recipient_name": gettext_lazy("name on the letter"),
    "content_revision_id": gettext_lazy("text"),
}
ONLY_NAMED = {
    "requirements_version_id": gettext_lazy("requirements"),
    "evidence": gettext_lazy("evidence"),
}


def _differences(
    event: LetterEvent, values: Mapping[str, Any], texts: Mapping[int, ProgramLetterTemplate]
) -> list[Difference]:
    told = [
        Difference(
            str(name),
            _told(column, event.before[column], texts),
            _told(column, values[column], texts),
        )
        for column, name in TOLD.items()
        if column in event.before
    ]
    return told + [Difference(str(n)) for column, n in ONLY_NAMED.items() if column in event.before]


def _told(column: str, value: Any, texts: Mapping[int, ProgramLetterTemplate]) -> Any:
    """A value of `LetterEvent.before`, where dates stand as text, or of the letter."""
    if column == "content_revision_id":
        return texts.get(value, "")
    return parse_datetime(value) if column == "issued_at" and isinstance(value, str) else value


def _texts(
    letter: ProgramLetter, events: Iterable[LetterEvent]
) -> dict[int, ProgramLetterTemplate]:
    """All that the letter ever said, by primary key, with the reason of a withdrawal."""
    pinned = {letter.content_revision_id}
    pinned.update(event.before.get("content_revision_id") for event in events)
    reason = ProgramLetterTemplate.history.filter(
        id=OuterRef("pk"), status=TemplateStatus.WITHDRAWN
    ).order_by("history_id")
    templates = ProgramLetterTemplate.objects.select_related("withdrawn_by").annotate(
        withdrawn_because=Subquery(reason.values("history_change_reason")[:1])
    )
    return {
        template.pk: template
        for template in templates.filter(pk__in=[pk for pk in pinned if pk is not None])
    }


def _withdrawal(
    text: ProgramLetterTemplate | None, *, since: datetime, until: datetime | None
) -> TextWithdrawn | None:
    """The withdrawal of a text, if the letter had it then."""
    at = text.withdrawn_at if text else None
    if text is None or at is None or at < since or (until and at > until):
        return None
    return TextWithdrawn(text, at, text.withdrawn_because or "")  # type: ignore[attr-defined]  # annotated
