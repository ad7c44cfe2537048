"""A plan: many letters are judged, and what should become of them is stored."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from credentials_portal.core.errors import NotFoundError
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from letters import selectors
from letters.enums import Against, LetterState, RunKind, RunStatus
from letters.models import LetterValidationRun, ProgramLetter


@dataclass(frozen=True)
class PlanScope:
    """Which letters a plan judges. Revoked ones, a person's decision, only when asked for."""

    program_id: int | None = None
    states: tuple[LetterState, ...] = (
        LetterState.PENDING,
        LetterState.ACTIVE,
        LetterState.SUSPENDED,
    )
    issued_from: datetime | None = None
    issued_to: datetime | None = None
    letter_uuids: tuple[UUID, ...] | None = None
    against: Against = Against.ISSUE

    def letters(self) -> "QuerySet[ProgramLetter]":
        letters = ProgramLetter.objects.filter(state__in=self.states)
        if self.program_id is not None:
            letters = letters.filter(program_id=self.program_id)
        if self.issued_from is not None:
            letters = letters.filter(issued_at__gte=self.issued_from)
        if self.issued_to is not None:
            letters = letters.filter(issued_at__lt=self.issued_to)
        if self.letter_uuids is not None:
            letters = letters.filter(uuid__in=self.letter_uuids)
        return letters


@dataclass
class PlanTally:
    """How many letters a plan judged, by verdict, failed check and planned action."""

    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.verdicts.total()


def require_letters(letter_uuids: Collection[UUID]) -> None:
    """Raise `NotFoundError` when there is no letter of one of these uuids."""
    letters = ProgramLetter.objects.filter(uuid__in=letter_uuids)
    unknown = set(letter_uuids) - set(letters.values_list("uuid", flat=True))
    if unknown:
        raise NotFoundError(f"There is no letter {min(unknown)}.")


def start_plan(scope: PlanScope, *, by: Attribution) -> LetterValidationRun:
    """Open a plan; plans of the same kind that were left unfinished are closed as aborted."""
    LetterValidationRun.objects.filter(kind=RunKind.PLAN, status=RunStatus.RUNNING).update(
        status=RunStatus.ABORTED, finished_at=by.at
    )
    return LetterValidationRun.objects.create(
        kind=RunKind.PLAN,
        against=scope.against,
        as_of=by.at,
        started_at=by.at,
        requested_by=by.actor,
        scope={name: value for name, value in vars(scope).items() if value is not None},
    )


def page_end(scope: PlanScope, *, after: int, size: int) -> int | None:
    """Primary key of the last letter of the page that follows `after`; None: the last page."""
    keys = scope.letters().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
    return keys[size - 1 : size].first()


def pages(scope: PlanScope, *, size: int) -> Iterator[tuple[int, int | None]]:
    """The pages of a plan, `after` and `upto`; each is looked for when the last one is done."""
    after: int | None = 0
    while after is not None:
        upto = page_end(scope, after=after, size=size)
        yield after, upto
        after = upto


@retry_conflicts
@transaction.atomic
def plan_page(*, run: LetterValidationRun, scope: PlanScope, after: int, upto: int | None) -> None:
    """Judge a page of letters and store the results, in one statement; no letter changes."""
    judged = selectors.judged_letters(
        _page(scope, after, upto), at=run.as_of, against=Against(run.against)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO letters_lettervalidationresult (run_id, letter_id, letter_version, state,"  # noqa: S608 - composed of constants
            " verdict, failed_checks, planned_action, outcome)"
            " SELECT %s, letter_id, version, state, verdict, failed_checks, planned_action, ''"
            f" FROM ({judged.sql}) AS judged",
            [run.pk, *judged.params],
        )


def preview_page(
    *, scope: PlanScope, after: int, upto: int | None, at: datetime
) -> list[tuple[int, str, list[str], str]]:
    """What a page of a plan would say: letter id, verdict, failed checks, planned action."""
    return read_verdicts(_page(scope, after, upto), at=at, against=scope.against)


def finish_plan(run: LetterValidationRun, *, at: datetime, is_complete: bool) -> PlanTally:
    """Close a plan with its counts. One that is not complete cannot be applied."""
    tally = tally_of(run)
    run.status = RunStatus.DONE if is_complete else RunStatus.ABORTED
    run.finished_at = at
    run.counters = {"total": tally.total, **tally.verdicts, "reasons": dict(tally.reasons)}
    run.save(update_fields=["status", "finished_at", "counters"])
    return tally


def tally_of(run: LetterValidationRun) -> PlanTally:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT verdict, planned_action, failed_checks, count(*)"
            " FROM letters_lettervalidationresult WHERE run_id = %s GROUP BY 1, 2, 3",
            [run.pk],
        )
        tally = PlanTally()
        for verdict, action, failed_checks, count in cursor.fetchall():
            tally.verdicts[verdict] += count
            tally.actions[action] += count
            for code in failed_checks:
                tally.reasons[code] += count
        return tally


def run_by_uuid(uuid: UUID) -> LetterValidationRun:
    """Raises `NotFoundError`."""
    run = LetterValidationRun.objects.filter(uuid=uuid).first()
    if run is None:
        raise NotFoundError(f"There is no run {uuid}.")
    return run


def read_verdicts(
    letters: "QuerySet[ProgramLetter]", *, at: datetime, against: Against
) -> list[tuple[int, str, list[str], str]]:
    """Judge letters in one statement: letter id, verdict, failed checks, planned action."""
    judged = selectors.judged_letters(letters, at=at, against=against)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT letter_id, verdict, failed_checks, planned_action"  # noqa: S608 - composed of constants
            f" FROM ({judged.sql}) AS judged ORDER BY letter_id",
            judged.params,
        )
        return list(cursor.fetchall())


def _page(scope: PlanScope, after: int, upto: int | None) -> "QuerySet[ProgramLetter]":
    letters = scope.letters().filter(pk__gt=after)
    return letters if upto is None else letters.filter(pk__lte=upto)
