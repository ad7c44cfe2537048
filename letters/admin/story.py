"""What happened to a run, in words: who made it, what it covers, who did what with it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Max, Min
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from letters.admin.words import moment
from letters.enums import RULESET_VERSION, Against, LetterAction, LetterState, RunKind, RunStatus
from letters.models import LetterValidationRun
from programs.selectors import programs_by_title

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

DEEDS_AT_ONCE = 50

STANDINGS: dict[str, "_StrPromise"] = {
    RunStatus.RUNNING: gettext_lazy(
        "Its letters are being judged. If nobody does so any more, make a new plan."
    ),
    RunStatus.ABORTED: gettext_lazy(
        "It was left unfinished, and cannot be applied. Make a new plan."
    ),
    RunStatus.DONE: gettext_lazy(
        "It says what should become of its letters. No letter has changed."
    ),
    RunStatus.APPLYING: gettext_lazy("It was applied in part. Go on, or roll it back."),
    RunStatus.APPLIED: gettext_lazy("It was applied. It can be rolled back."),
    RunStatus.ROLLED_BACK: gettext_lazy(
        "It was rolled back, and is not applied again. Make a new plan."
    ),
}


@dataclass(frozen=True)
class Chapter:
    """One thing that happened to a run; `at` and `until` frame it, where they are known."""

    words: str
    at: datetime | None = None
    until: datetime | None = None
    who: Any = None
    reason: str = ""


def story(run: LetterValidationRun) -> list[Chapter]:
    """What happened to a run and through it, the oldest first, in three statements at most."""
    return [_beginning(run), *_approval(run), *_deeds(run), *_release(run)]


def standing(run: LetterValidationRun) -> str:
    """What a plan is worth now, and what can be done with it."""
    is_old = run.ruleset_version != RULESET_VERSION
    if is_old and run.status in {RunStatus.DONE, RunStatus.APPLYING}:
        return _("It was planned by older rules, and cannot be applied. Make a new plan.")
    return str(STANDINGS.get(run.status, ""))


def _beginning(run: LetterValidationRun) -> Chapter:
    words = _stopped(run) if run.kind != RunKind.PLAN else _("Planned: %s") % describe_scope(run)
    return Chapter(words, run.started_at, who=run.requested_by)


def _stopped(run: LetterValidationRun) -> str:
    return _("Stopped by a breaker, which holds what would have changed (%(kind)s, %(cause)s)") % {
        "kind": run.get_kind_display(),
        "cause": run.scope.get("cause") or _("the portal"),
    }


def _approval(run: LetterValidationRun) -> list[Chapter]:
    if run.kind != RunKind.PLAN or not (run.approved_by or run.approval_reason):
        return []
    return [Chapter(_("Approved"), who=run.approved_by, reason=run.approval_reason)]


def _release(run: LetterValidationRun) -> list[Chapter]:
    if run.status != RunStatus.RELEASED:
        return []
    return [Chapter(_("Released"), run.finished_at, None, run.approved_by, run.approval_reason)]


def _deeds(run: LetterValidationRun) -> list[Chapter]:
    """What was done to letters through this run, by whom and why."""
    deeds = (
        run.events.order_by()
        .values_list("action", "actor__username", "note")
        .annotate(letters=Count("pk"), first=Min("at"), last=Max("at"))
        .order_by("first", "action")
    )
    return [
        Chapter(
            ngettext("%(action)s: %(count)d letter", "%(action)s: %(count)d letters", count)
            % {"count": count, "action": LetterAction(action).label},
            first,
            last if last != first else None,
            who,
            note,
        )
        for action, who, note, count, first, last in deeds[:DEEDS_AT_ONCE]
    ]


def describe_scope(run: LetterValidationRun) -> str:
    """Which letters a plan covers, and by what they were judged."""
    scope = run.scope
    program = programs_by_title().filter(pk=scope.get("program_id")).first()
    states = [LetterState(state).label for state in scope.get("states", [])]
    parts = [
        _("letters of “%s”") % program.title if program else _("letters of all programs"),
        _("in the states %s") % ", ".join(map(str, states)),
    ]
    if from_ := parse_datetime(scope.get("issued_from", "")):
        parts.append(_("issued on %s or later") % moment(from_))
    if to := parse_datetime(scope.get("issued_to", "")):
        parts.append(_("issued before %s") % moment(to))
    if (named := scope.get("letter_uuids")) is not None:
        parts.append(
            ngettext("%d letter that was named", "%d letters that were named", len(named))
            % len(named)
        )
    parts.append(_("judged by the requirements: %s") % Against(run.against).label)
    return "; ".join(parts)
