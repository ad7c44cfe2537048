"""How letters and learners are judged, read into Python."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from credentials_portal.core.sql import Fragment
from letters.enums import (
    EXPLANATORY_CHECKS,
    IMPORTED_INACTIVE,
    REQUIREMENTS_DEFINED,
    Against,
    LetterState,
    PlannedAction,
    Verdict,
)
from letters.models import LetterRevalidation, ProgramLetter
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
    """These letters as the subjects of `judgements`, read here and now."""
    return _subjects_by_key(_keys(letters))


def _keys(letters: "QuerySet[ProgramLetter]") -> list[int]:
    """Of a list the planner knows the length. Of conditions it knows nothing before the table's
    statistics do, as after a large import, and then it once chose a nested loop of minutes."""
    return list(letters.order_by().values_list("pk", flat=True))


def _subjects_by_key(keys: Sequence[int]) -> Fragment:
    return Fragment(
        """
        SELECT user_id, program_id, requirements_version_id AS version_id, issued_at, state
        FROM letters_programletter WHERE id = ANY(%s::bigint[])
        """,
        (keys,),
    )


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
    keys = _keys(letters)
    judged = judgements(_subjects_by_key(keys), at=at, against=against, with_evidence=False)
    return Fragment(
        f"""
        WITH judgement AS MATERIALIZED ({judged.sql})
        SELECT letter.id AS letter_id, letter.version, letter.state, judgement.verdict,
               judgement.failed_checks, judgement.planned_action
        FROM letters_programletter AS letter JOIN judgement USING (user_id, program_id)
        WHERE letter.id = ANY(%s::bigint[])
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (*judged.params, keys),
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
