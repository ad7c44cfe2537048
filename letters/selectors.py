"""Reads of letters: judgements, and what the pages show."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, QuerySet

from credentials_portal.core.sql import Fragment
from letters.enums import (
    EXPLANATORY_CHECKS,
    IMPORTED_INACTIVE,
    REQUIREMENTS_DEFINED,
    Against,
    LetterState,
    PlannedAction,
    Verdict,
    describe_check,
)
from letters.models import LetterRevalidation, LetterValidationRun, ProgramLetter
from letters.sql import judgements
from programs import selectors as programs


@dataclass(frozen=True)
class Check:
    """A named check with its status: pass, fail, waived or unknown."""

    code: str
    status: str
    evidence: list[dict[str, Any]]


@dataclass(frozen=True)
class Judgement:
    """What the portal can say of one learner in one program (`letters.sql.judgements`)."""

    user_id: int
    program_id: int
    deciding_version_id: int | None
    verdict: Verdict
    failed_checks: tuple[str, ...]
    planned_action: PlannedAction
    completed_at: datetime | None
    evidence: dict[str, Any] = field(repr=False)
    checks: tuple[Check, ...] = field(repr=False)

    @property
    def is_valid(self) -> bool:
        return self.verdict == Verdict.VALID

    @property
    def deciding_checks(self) -> tuple[str, ...]:
        """The checks that decided against the letter; none for a valid one.

        Requirements that were empty at issue explain it where later ones decided.
        """
        failed = [code for code in self.failed_checks if code not in EXPLANATORY_CHECKS]
        later = tuple(code for code in failed if code != REQUIREMENTS_DEFINED)
        return () if self.is_valid else later or tuple(failed)

    @property
    def reason(self) -> str:
        """The first check that decided against the letter; empty for a valid one."""
        return next(iter(self.deciding_checks), "")

    def is_eligible(self, at: datetime) -> bool:
        """Whether a letter dated `at` would be true, and true of that date."""
        return self.is_valid and (self.completed_at is None or self.completed_at <= at)


def letter_subjects(letters: "QuerySet[ProgramLetter]") -> Fragment:
    """These letters as the subjects of `judgements`."""
    return Fragment.of(
        letters.order_by().values_list(
            "user_id", "program_id", "requirements_version_id", "issued_at", "state"
        )
    ).renamed("user_id", "program_id", "version_id", "issued_at", "state")


def learner_subjects(
    program_id: int, user_ids: Iterable[int], *, without_letter: bool = False
) -> Fragment:
    """These learners of one program, with the letter that they have; or only those without."""
    letters = Fragment.of(
        ProgramLetter.objects.filter(program_id=program_id).values(
            "user_id", "requirements_version_id", "issued_at", "state"
        )
    )
    return Fragment(
        f"""
        SELECT learner.user_id, %s::bigint AS program_id,
               letter.requirements_version_id AS version_id, letter.issued_at, letter.state
        FROM unnest(%s::bigint[]) AS learner (user_id)
        LEFT JOIN ({letters.sql}) AS letter ON letter.user_id = learner.user_id
        WHERE letter.user_id IS NULL OR NOT %s
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (program_id, sorted(set(user_ids)), *letters.params, without_letter),
    )


def judge(
    subjects: Fragment,
    *,
    at: datetime,
    against: Against = Against.ISSUE,
    with_evidence: bool = True,
) -> list[Judgement]:
    """Judge all subjects in one statement."""
    judged = judgements(subjects, at=at, against=against, with_evidence=with_evidence)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT user_id, program_id, deciding_version_id, verdict, failed_checks,"  # noqa: S608 - composed of constants
            " planned_action, completed_at, evidence::text, checks::text"
            f" FROM ({judged.sql}) AS judged ORDER BY program_id, user_id",
            judged.params,
        )
        return [
            Judgement(
                user_id=user_id,
                program_id=program_id,
                deciding_version_id=version_id,
                verdict=Verdict(verdict),
                failed_checks=tuple(failed_checks),
                planned_action=PlannedAction(action),
                completed_at=completed_at,
                evidence=json.loads(evidence),
                checks=tuple(Check(**check) for check in json.loads(checks)),
            )
            for (
                user_id,
                program_id,
                version_id,
                verdict,
                failed_checks,
                action,
                completed_at,
                evidence,
                checks,
            ) in cursor.fetchall()
        ]


def judged_letters(
    letters: "QuerySet[ProgramLetter]", *, at: datetime, against: Against = Against.ISSUE
) -> Fragment:
    """Letters with their judgement: letter_id, version, state, verdict, failed_checks,
    planned_action."""
    rows = Fragment.of(
        letters.order_by().values_list("id", "user_id", "program_id", "version", "state")
    ).renamed("letter_id", "user_id", "program_id", "version", "state")
    judged = judgements(letter_subjects(letters), at=at, against=against, with_evidence=False)
    return Fragment(
        f"""
        SELECT letter.letter_id, letter.version, letter.state, judged.verdict,
               judged.failed_checks, judged.planned_action
        FROM ({rows.sql}) AS letter JOIN ({judged.sql}) AS judged USING (user_id, program_id)
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (*rows.params, *judged.params),
    )


def judge_letter(letter: ProgramLetter, *, at: datetime) -> Judgement:
    return judge(letter_subjects(ProgramLetter.objects.filter(pk=letter.pk)), at=at)[0]


def judge_learner(*, user_id: int, program_id: int, at: datetime) -> Judgement:
    """Judge a learner who may or may not have a letter."""
    return judge(learner_subjects(program_id, [user_id]), at=at)[0]


def learners_without_letter(program_id: int) -> list[int]:
    """Ids of the program's learners (see `programs.selectors.program_learners`) to judge."""
    learners = programs.program_learners(Fragment("SELECT %s::bigint", (program_id,)))
    letters = Fragment.of(ProgramLetter.objects.filter(program_id=program_id).values("user_id"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT user_id FROM ({learners.sql}) AS learner"  # noqa: S608 - composed of constants
            f" WHERE user_id NOT IN ({letters.sql}) ORDER BY user_id",
            (*learners.params, *letters.params),
        )
        return [user_id for (user_id,) in cursor.fetchall()]


def letters_out_of_step(program_id: int, *, with_new: bool, at: datetime) -> Fragment:
    """Learners of a program whose letter is not what the checks say: user_id, program_id.

    Active ones that fail, suspended ones that pass, and, if `with_new`, learners who completed
    the program and have none. Suspensions that came with an import wait for a plan.
    """
    letters = letter_subjects(
        ProgramLetter.objects.filter(program_id=program_id)
        .filter(state__in=[LetterState.ACTIVE, LetterState.SUSPENDED])
        .exclude(state=LetterState.SUSPENDED, state_reason=IMPORTED_INACTIVE)
    )
    subjects = learner_subjects(
        program_id, learners_without_letter(program_id) if with_new else [], without_letter=True
    )
    judged = judgements(
        Fragment(f"{letters.sql} UNION ALL ({subjects.sql})", (*letters.params, *subjects.params)),
        at=at,
    )
    return Fragment(
        f"""
        SELECT user_id, program_id FROM ({judged.sql}) AS judged
        WHERE planned_action = %s OR (state = %s AND planned_action <> %s)
           OR (state IS NULL AND verdict = %s)
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (
            *judged.params,
            PlannedAction.SUSPEND,
            LetterState.SUSPENDED,
            PlannedAction.NONE,
            Verdict.VALID,
        ),
    )


def learners_to_queue(program_id: int, *, with_new: bool, at: datetime) -> list[int]:
    """Ids of the learners out of step (`letters_out_of_step`) whom the queue does not hold yet."""
    pairs = letters_out_of_step(program_id, with_new=with_new, at=at)
    queued = Fragment.of(LetterRevalidation.objects.filter(program_id=program_id).values("user_id"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT user_id FROM ({pairs.sql}) AS pair"  # noqa: S608 - composed of constants
            f" WHERE user_id NOT IN ({queued.sql}) ORDER BY user_id",
            (*pairs.params, *queued.params),
        )
        return [user_id for (user_id,) in cursor.fetchall()]


def letters_of(user_id: int) -> "QuerySet[ProgramLetter]":
    """A learner's letters to show: pending ones wait for staff and are not shown."""
    return (
        ProgramLetter.objects.filter(user_id=user_id)
        .exclude(state=LetterState.PENDING)
        .select_related("program")
        .order_by("program__title")
    )


PLAN_COLUMNS = (
    "letter_uuid",
    "program",
    "user_id",
    "username",
    "issued_at",
    "issued_via",
    "state",
    "verdict",
    "failed_checks",
    "reasons",
    "planned_action",
    "outcome",
)


def plan_rows(run: LetterValidationRun) -> Iterator[dict[str, Any]]:
    """Every letter of a plan, for a report (`PLAN_COLUMNS`); `state` is the one now."""
    results = run.results.select_related("letter__user", "letter__program").order_by("letter_id")
    for result in results.iterator(chunk_size=2_000):
        yield _row(
            result.letter,
            verdict=result.verdict,
            failed_checks=result.failed_checks,
            planned_action=result.planned_action,
            outcome=result.outcome,
        )


def preview_rows(
    verdicts: Sequence[tuple[int, str, list[str], str]],
) -> Iterator[dict[str, Any]]:
    """The same rows for a plan that was not stored."""
    letters = ProgramLetter.objects.select_related("user", "program").in_bulk(
        [letter_id for letter_id, *_rest in verdicts]
    )
    for letter_id, verdict, failed_checks, action in verdicts:
        yield _row(
            letters[letter_id],
            verdict=verdict,
            failed_checks=failed_checks,
            planned_action=action,
            outcome="",
        )


def _row(
    letter: ProgramLetter,
    *,
    verdict: str,
    failed_checks: Sequence[str],
    planned_action: str,
    outcome: str,
) -> dict[str, Any]:
    return {
        "letter_uuid": letter.uuid,
        "program": letter.program.title,
        "user_id": letter.user_id,
        "username": letter.user.username,
        "issued_at": letter.issued_at,
        "issued_via": letter.issued_via,
        "state": letter.state,
        "verdict": verdict,
        "failed_checks": " ".join(failed_checks),
        "reasons": "; ".join(str(describe_check(code)) for code in failed_checks),
        "planned_action": planned_action,
        "outcome": outcome,
    }


def state_counts(run: LetterValidationRun) -> dict[str, int]:
    """How many letters of a plan are in each state now."""
    letters = ProgramLetter.objects.filter(results__run=run)
    return _counts(letters, "state")


def outcome_counts(run: LetterValidationRun) -> dict[str, int]:
    """What became of the letters for which a plan asks for a change."""
    results = run.results.exclude(planned_action=PlannedAction.NONE)
    return {outcome or "open": count for outcome, count in _counts(results, "outcome").items()}


def _counts(queryset: "QuerySet[Any]", column: str) -> dict[str, int]:
    return dict(queryset.order_by(column).values_list(column).annotate(Count("pk")))


def queue_length() -> int:
    return LetterRevalidation.objects.count()


def held_counts() -> dict[str, int]:
    """What breakers hold until staff release it: queued learners, and pending letters."""
    return {
        "held": LetterRevalidation.objects.exclude(held_by=None).count(),
        "pending": ProgramLetter.objects.filter(state=LetterState.PENDING).count(),
    }


def held_since(at: datetime) -> int:
    """How many queued learners a breaker held by then and still holds."""
    return LetterRevalidation.objects.filter(held_by__started_at__lte=at).count()


def programs_with_letters() -> set[int]:
    return set(ProgramLetter.objects.order_by().values_list("program_id", flat=True).distinct())


def status_of_letters() -> dict[str, Any]:
    """How all letters stand, what is queued, and which runs hold what."""
    pending = ProgramLetter.objects.filter(state=LetterState.PENDING)
    held = LetterRevalidation.objects.exclude(held_by=None)
    runs = set(pending.values_list("issue_run__uuid", flat=True)) | set(
        held.values_list("held_by__uuid", flat=True)
    )
    return {
        "letters": _counts(ProgramLetter.objects.all(), "state"),
        "suspended_because": _counts(
            ProgramLetter.objects.filter(state=LetterState.SUSPENDED), "state_reason"
        ),
        "queued": queue_length(),
        "held": held.count(),
        "runs_that_hold": sorted(map(str, runs)),
    }


def status_of_run(run: LetterValidationRun) -> dict[str, Any]:
    return {
        "run": str(run.uuid),
        "kind": run.kind,
        "status": run.status,
        "against": run.against,
        "as_of": run.as_of.isoformat(),
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "found": run.counters,
        "outcomes": outcome_counts(run),
        "state_counts": state_counts(run),
        "pending": ProgramLetter.objects.filter(issue_run=run, state=LetterState.PENDING).count(),
        "held": LetterRevalidation.objects.filter(held_by=run).count(),
    }


@dataclass(frozen=True)
class Verification:
    """What a stranger may know of a letter: nothing but the verdict, unless it is valid."""

    status: str
    letter_uuid: UUID
    name: str = ""
    program: str = ""
    issued_at: datetime | None = None
    withdrawn_at: datetime | None = None


def verify_letter(letter_uuid: UUID) -> Verification | None:
    """Answer a stranger's question, in one statement; None: there is no such letter to show.

    `status` is "valid", "temporarily_not_valid" or "withdrawn".
    """
    letter = (
        ProgramLetter.objects.filter(uuid=letter_uuid)
        .exclude(state=LetterState.PENDING)
        .select_related("program")
        .first()
    )
    if letter is None:
        return None
    if letter.state == LetterState.ACTIVE:
        return Verification(
            status="valid",
            letter_uuid=letter.uuid,
            name=letter.recipient_name,
            program=letter.program.title,
            issued_at=letter.issued_at,
        )
    if letter.state == LetterState.SUSPENDED:
        return Verification(status="temporarily_not_valid", letter_uuid=letter.uuid)
    return Verification(status="withdrawn", letter_uuid=letter.uuid, withdrawn_at=letter.revoked_at)
