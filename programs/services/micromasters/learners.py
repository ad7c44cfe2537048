from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from programs.models import (
    CourseEnrollment,
    CourseGrade,
    CourseRun,
    Program,
    ProgramCourseRun,
    ProgramEnrollment,
)
from programs.models.catalog import DEFAULT_PASSING_GRADE
from programs.services.enrollments import (
    EnrollmentRecord,
    enroll_in_programs,
    record_course_enrollments,
)
from programs.services.grades import GradeRecord, passes, record_grades
from programs.services.micromasters.catalog import VERIFIED
from programs.services.micromasters.people import People, state_of, write_people
from programs.services.micromasters.records import LearnerSeed, ProgramSeed
from programs.services.micromasters.tally import Tally
from programs.services.nodes import RecordError

# What a record says of a learner, by e-mail address and by key of the run or uuid of the program.
ByRun = dict[tuple[str, str], dict[str, Any]]
ByProgram = dict[tuple[str, UUID], dict[str, Any]]


@dataclass(frozen=True)
class RunFact:
    """What learners' records need to know of a run. In a dry run a new one has no `pk` (0)."""

    pk: int
    ends_at: datetime | None
    passing_grade: Decimal
    program_uuids: frozenset[UUID]


def run_facts(keys: Collection[str], loaded: Sequence[ProgramSeed]) -> dict[str, RunFact]:
    """The runs of these keys, as they are once the programs `loaded` are in the database."""
    stored = {run.key: run for run in CourseRun.objects.filter(key__in=keys)}
    ends = {key: run.end_date for key, run in stored.items()}
    programs: dict[str, set[UUID]] = defaultdict(set)
    elsewhere = ProgramCourseRun.objects.exclude(program__uuid__in=[seed.uuid for seed in loaded])
    pairs = elsewhere.filter(course_run__key__in=keys)
    for key, uuid in pairs.values_list("course_run__key", "program__uuid"):
        programs[key].add(uuid)
    for seed in loaded:
        for run in seed.runs:
            ends[run.key] = run.end_date
            programs[run.key].add(seed.uuid)
    return {
        key: RunFact(
            pk=stored[key].pk if key in stored else 0,
            ends_at=ends_at,
            passing_grade=stored[key].passing_grade if key in stored else DEFAULT_PASSING_GRADE,
            program_uuids=frozenset(programs[key]),
        )
        for key, ends_at in ends.items()
    }


@retry_conflicts
@transaction.atomic
def load_learners(
    learners: Sequence[LearnerSeed],
    *,
    runs: Mapping[str, RunFact],
    reserved: Collection[str],
    by: Attribution,
    is_dry_run: bool,
) -> tuple[Tally, list[tuple[int, str]]]:
    """Load a batch; returns what that changes, and (index, reason) of each learner refused.

    What is stored is completed: names that are empty, enrollments that are missing. Grades that
    differ are replaced, but not those that the LMS dated.
    """
    people = People(learners, reserved=reserved)
    users, refused = {}, []
    for learner in learners:
        try:
            _refuse_unknown_runs(learner, runs)
            users[learner.email] = people.find(learner)
        except RecordError as error:
            refused.append((learner.index, error.message))
    accepted = [learner for learner in learners if learner.email in users]
    emails = {user.pk: email for email, user in users.items() if user}

    tally = Tally()
    for learner in accepted:
        tally.add("learners", state_of(users[learner.email], learner))
    enrollments = tally.compare(
        "course_enrollments", _enrollments(accepted), _stored_enrollments(emails, runs)
    )
    programs = tally.compare(
        "program_enrollments", _programs(accepted, runs), _stored_programs(emails)
    )
    wanted = _grades(accepted, runs, at=by.at)
    grades = tally.compare("grades", wanted, _stored_grades(emails, runs, wanted))
    if is_dry_run:
        return tally, refused

    ids = write_people(accepted, users, people)
    record_course_enrollments(
        [EnrollmentRecord(ids[email], runs[key].pk, VERIFIED) for email, key in enrollments], by=by
    )
    for program in Program.objects.filter(uuid__in={uuid for _email, uuid in programs}):
        members = [ids[email] for email, uuid in programs if uuid == program.uuid]
        enroll_in_programs(user_ids=members, program=program, by=by)
    record_grades(
        [
            GradeRecord(ids[email], runs[key].pk, **wanted[email, key], verified=True)
            for email, key in grades
        ],
        by=by,
    )
    return tally, refused


def _refuse_unknown_runs(learner: LearnerSeed, runs: Mapping[str, RunFact]) -> None:
    for key in (*learner.run_keys, *learner.grades):
        if key not in runs:
            raise RecordError(f"the run {key} is unknown")


def _enrollments(learners: Sequence[LearnerSeed]) -> ByRun:
    return {(learner.email, key): {} for learner in learners for key in learner.run_keys}


def _programs(learners: Sequence[LearnerSeed], runs: Mapping[str, RunFact]) -> ByProgram:
    return {
        (learner.email, uuid): {}
        for learner in learners
        for key in learner.run_keys
        for uuid in runs[key].program_uuids
    }


def _grades(learners: Sequence[LearnerSeed], runs: Mapping[str, RunFact], *, at: datetime) -> ByRun:
    return {
        (learner.email, key): {
            "percent_grade": percent,
            "passed": passes(percent, passing_grade=run.passing_grade),
            "is_final": run.ends_at is not None and run.ends_at <= at,
        }
        for learner in learners
        for key, percent in learner.grades.items()
        for run in [runs[key]]
    }


def _stored_enrollments(emails: Mapping[int, str], runs: Mapping[str, RunFact]) -> ByRun:
    keys = {run.pk: key for key, run in runs.items()}
    stored = CourseEnrollment.objects.filter(user_id__in=emails, course_run_id__in=keys)
    return {
        (emails[user_id], keys[run_id]): {}
        for user_id, run_id in stored.values_list("user_id", "course_run_id")
    }


def _stored_programs(emails: Mapping[int, str]) -> ByProgram:
    stored = ProgramEnrollment.objects.filter(user_id__in=emails)
    return {
        (emails[user_id], uuid): {}
        for user_id, uuid in stored.values_list("user_id", "program__uuid")
    }


def _stored_grades(emails: Mapping[int, str], runs: Mapping[str, RunFact], wanted: ByRun) -> ByRun:
    """The stored grades; one that the LMS dated counts as just what is wanted."""
    keys = {run.pk: key for key, run in runs.items()}
    found: ByRun = {}
    for grade in CourseGrade.objects.filter(user_id__in=emails, course_run_id__in=keys):
        key = emails[grade.user_id], keys[grade.course_run_id]
        found[key] = {
            "percent_grade": grade.percent_grade,
            "passed": grade.passed,
            "is_final": grade.is_final,
            **(wanted.get(key, {}) if grade.lms_last_updated_at else {}),
        }
    return found
