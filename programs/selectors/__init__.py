"""Reads that `programs` offers to the apps above it and to its own interfaces."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from credentials_portal.core.errors import NotFoundError
from credentials_portal.core.sql import Fragment
from programs.enums import (
    LISTED,
    CertificateSource,
    CertificateStatus,
    GroupKind,
    ProgramStatus,
    RevocationKind,
)
from programs.models import (
    Program,
    ProgramCertificate,
    ProgramCourseRun,
    ProgramRequirementsVersion,
    RequirementCourse,
    RequirementGroup,
)
from programs.selectors.offers import (
    CourseWords,
    Enrolled,
    RunOffer,
    course_by_identifier,
    course_offers,
    course_titles,
    course_words,
    courses_titled,
    enrollments_in,
    run_keys,
    run_offer,
    run_offers,
)
from programs.selectors.records import (
    ListedRecord,
    ProgramRecord,
    RecordRow,
    record_of,
    records_of_learner,
)
from programs.sql import (
    CORE_COURSE,
    ELECTIVE_SET,
    REQUIREMENTS_DEFINED,
    REQUIREMENTS_SATISFIABLE,
    completion_verdicts,
    enrollment_facts,
    first_completion_dates,
    program_learners,
    requirement_versions,
    revoked_program_certificates,
)

__all__ = [
    "REQUIREMENTS_DEFINED",
    "REQUIREMENTS_SATISFIABLE",
    "CertificateChanges",
    "Check",
    "Completion",
    "CourseWords",
    "Enrolled",
    "ListedRecord",
    "ProgramProgress",
    "ProgramRecord",
    "RecordRow",
    "Requirement",
    "RunOffer",
    "VersionsOverTime",
    "active_program_ids",
    "certificate_changes",
    "completed_learners",
    "completion_of",
    "completion_verdicts",
    "course_by_identifier",
    "course_offers",
    "course_titles",
    "course_words",
    "courses_titled",
    "enrollment_facts",
    "enrollments_in",
    "first_completion_dates",
    "program_by_identifier",
    "program_learners",
    "programs_including_runs",
    "programs_of_learner",
    "programs_with_requirements",
    "record_of",
    "records_of_learner",
    "requirement_versions",
    "revoked_program_certificates",
    "run_keys",
    "run_offer",
    "run_offers",
    "titles_of_elective_sets",
    "versions_over_time",
]


@dataclass(frozen=True)
class Check:
    """One named requirement: met or not, since when, and by which runs."""

    code: str
    passed: bool
    met_at: datetime | None
    evidence: list[dict[str, Any]]


@dataclass(frozen=True)
class Completion:
    """What one learner has, and lacks, of one version of a program's requirements."""

    user_id: int
    program_id: int
    version_id: int | None
    checks: tuple[Check, ...]

    @property
    def is_complete(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def completed_at(self) -> datetime | None:
        """When the last requirement was met; None while incomplete or where a date is unknown."""
        dates = [check.met_at for check in self.checks if check.evidence]
        known = [date for date in dates if date]
        return max(known) if self.is_complete and len(known) == len(dates) else None

    @property
    def missing(self) -> list[str]:
        return [check.code for check in self.checks if not check.passed]


def completion_of(
    *, user_id: int, program_id: int, at: datetime, version_id: int | None = None
) -> Completion:
    """Judge one learner by `version_id`, or by the requirements in force at `at`."""
    versions = requirement_versions(at=at)
    subject = Fragment(
        f"""
        SELECT %s::bigint AS user_id, %s::bigint AS program_id,
               COALESCE(%s::bigint, (
                   SELECT version_id FROM ({versions.sql}) AS version
                   WHERE is_in_force AND program_id = %s
               )) AS version_id
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (user_id, program_id, version_id, *versions.params, program_id),
    )
    return judge_subjects(subject, at=at)[0]


def judge_subjects(subjects: Fragment, *, at: datetime) -> list[Completion]:
    """Judge all subjects in one statement; ordered by program and user."""
    verdicts = completion_verdicts(subjects, at=at)
    checks: dict[tuple[int, int, int | None], list[Check]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT user_id, program_id, version_id, code, passed, met_at, evidence::text"  # noqa: S608 - composed of constants
            f" FROM ({verdicts.sql}) AS v ORDER BY program_id, user_id, position, code",
            verdicts.params,
        )
        for user_id, program_id, version_id, code, passed, met_at, evidence in cursor.fetchall():
            check = Check(code, passed, met_at, json.loads(evidence))
            checks.setdefault((user_id, program_id, version_id), []).append(check)
    return [Completion(*subject, tuple(found)) for subject, found in checks.items()]


@dataclass(frozen=True)
class Requirement:
    """One thing that a program asks of a learner: a core course, or some courses of a set.

    `passed` and `open` are titles of its courses, `still_needed` how many of the open ones.
    """

    is_met: bool
    still_needed: int
    passed: tuple[str, ...]
    open: tuple[str, ...]


@dataclass(frozen=True)
class ProgramProgress:
    """How far a learner is in a program, by the requirements in force.

    A program without requirements has none to tell, and nobody completes it. One that is not
    `is_possible` offers too few of its courses.
    """

    program: Program
    requirements: tuple[Requirement, ...]
    is_complete: bool
    is_possible: bool

    @property
    def met(self) -> int:
        return sum(requirement.is_met for requirement in self.requirements)

    @property
    def missing(self) -> list[Requirement]:
        return [requirement for requirement in self.requirements if not requirement.is_met]


def programs_of_learner(*, user_id: int, at: datetime) -> list[ProgramProgress]:
    """The active and retired programs in which this learner has something to show, by title.

    Three statements, whatever there is.
    """
    all_programs = Fragment.of(Program.objects.filter(status__in=LISTED).order_by().values("id"))
    learners = program_learners(all_programs)
    versions = requirement_versions(at=at)
    subjects = Fragment(
        f"""
        SELECT user_id, learner.program_id, version_id FROM ({learners.sql}) AS learner
        LEFT JOIN ({versions.sql}) AS version
          ON version.program_id = learner.program_id AND version.is_in_force
        WHERE user_id = %s
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (*learners.params, *versions.params, user_id),
    )
    completions = judge_subjects(subjects, at=at)
    found = Program.objects.in_bulk([completion.program_id for completion in completions])
    asked = _courses_asked_for(completion.version_id for completion in completions)
    progress = [
        ProgramProgress(
            program=found[completion.program_id],
            requirements=tuple(
                _requirement(check, asked[completion.version_id, check.code])
                for check in completion.checks
                if (completion.version_id, check.code) in asked
            ),
            is_complete=completion.is_complete,
            is_possible=REQUIREMENTS_SATISFIABLE not in completion.missing,
        )
        for completion in completions
    ]
    return sorted(progress, key=lambda each: each.program.title)


def _courses_asked_for(
    version_ids: Iterable[int | None],
) -> dict[tuple[int | None, str], list[RequirementCourse]]:
    """The courses of each requirement of these versions, by version and code of the check."""
    asked: dict[tuple[int | None, str], list[RequirementCourse]] = {}
    members = RequirementCourse.objects.filter(version_id__in=[pk for pk in version_ids if pk])
    for member in members.select_related("group", "course").order_by("position"):
        code = (
            f"{CORE_COURSE}:{member.course.key}"
            if member.group.kind == GroupKind.CORE
            else f"{ELECTIVE_SET}:{member.group.number}"
        )
        asked.setdefault((member.version_id, code), []).append(member)
    return asked


def _requirement(check: Check, members: list[RequirementCourse]) -> Requirement:
    group = members[0].group
    keys = {met["course"] for met in check.evidence}
    passed = tuple(str(member.course) for member in members if member.course.key in keys)
    needed = 1 if group.kind == GroupKind.CORE else group.required_number
    return Requirement(
        is_met=check.passed,
        still_needed=max(0, needed - len(passed)),
        passed=passed,
        open=tuple(str(member.course) for member in members if member.course.key not in keys),
    )


def completed_learners(*, program_id: int, at: datetime) -> set[int]:
    """Ids of all learners who meet the program's requirements in force at `at`."""
    learners = program_learners(Fragment("SELECT %s::bigint AS program_id", (program_id,)))
    versions = requirement_versions(at=at)
    subjects = Fragment(
        f"""
        SELECT user_id, learner.program_id, version_id FROM ({learners.sql}) AS learner
        LEFT JOIN ({versions.sql}) AS version
          ON version.program_id = learner.program_id AND version.is_in_force
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (*learners.params, *versions.params),
    )
    verdicts = completion_verdicts(subjects, at=at, with_evidence=False)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT user_id FROM ({verdicts.sql}) AS v GROUP BY user_id HAVING bool_and(passed)",  # noqa: S608 - composed of constants
            verdicts.params,
        )
        return {user_id for (user_id,) in cursor.fetchall()}


@dataclass(frozen=True)
class CertificateChanges:
    """Whose computed program certificate is due, and whose has lost its ground (user ids).

    `held` is how many awarded computed certificates the program has.
    """

    to_award: tuple[int, ...] = ()
    to_revoke: tuple[int, ...] = ()
    held: int = 0


def certificate_changes(*, program: Program, at: datetime) -> CertificateChanges:
    """What `award_program_certificates` would do to an active program; nothing to others."""
    if program.status != ProgramStatus.ACTIVE:
        return CertificateChanges()
    complete = completed_learners(program_id=program.pk, at=at)
    stored = {certificate.user_id: certificate for certificate in program.certificates.all()}
    computed = {
        user
        for user, certificate in stored.items()
        if certificate.status == CertificateStatus.AWARDED
        and certificate.source == CertificateSource.COMPUTED
    }
    return CertificateChanges(
        to_award=tuple(sorted(user for user in complete if _may_be_awarded(stored.get(user)))),
        to_revoke=tuple(sorted(computed - complete)),
        held=len(computed),
    )


def _may_be_awarded(certificate: ProgramCertificate | None) -> bool:
    return certificate is None or (
        certificate.source == CertificateSource.COMPUTED
        and certificate.revocation_kind == RevocationKind.NOT_COMPLETE
    )


def program_by_identifier(identifier: str) -> Program:
    """The program with this uuid or primary key; raises `NotFoundError`."""
    program = None
    if identifier.isascii() and identifier.isdigit() and len(identifier) < 19:
        program = Program.objects.filter(pk=int(identifier)).first()
    else:
        try:
            program = Program.objects.filter(uuid=UUID(identifier)).first()
        except ValueError as error:
            raise NotFoundError(f"“{identifier}” is neither a uuid nor a number.") from error
    if program is None:
        raise NotFoundError(f"There is no program {identifier}.")
    return program


def programs_by_title() -> "QuerySet[Program]":
    """All programs, in the order in which people look for them: to choose one, or to name some."""
    return Program.objects.order_by("title", "pk")


def active_program_ids(program_ids: Iterable[int] | None = None) -> list[int]:
    """Ids of the active programs, or of those among these that are active."""
    active = Program.objects.filter(status=ProgramStatus.ACTIVE)
    if program_ids is not None:
        active = active.filter(pk__in=list(program_ids))
    return list(active.order_by("pk").values_list("pk", flat=True))


def programs_with_requirements(program_ids: Iterable[int], *, at: datetime) -> set[int]:
    """Those of these programs whose requirements in force at `at` name any course."""
    versions = requirement_versions(at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT program_id FROM ({versions.sql}) AS version"  # noqa: S608 - composed of constants
            " WHERE is_in_force AND NOT is_empty AND program_id = ANY(%s)",
            (*versions.params, list(program_ids)),
        )
        return {program_id for (program_id,) in cursor.fetchall()}


@dataclass(frozen=True)
class VersionsOverTime:
    """A program's versions of requirements as (effective_from, version id), in their order."""

    versions: tuple[tuple[datetime, int], ...]

    def at(self, moment: datetime) -> int | None:
        """The version in force at `moment`; None where there was none yet."""
        begun = [version_id for since, version_id in self.versions if since <= moment]
        return begun[-1] if begun else None


def versions_over_time(program_ids: Iterable[int]) -> dict[int, VersionsOverTime]:
    """For each of these programs, which requirements were in force when."""
    found: dict[int, list[tuple[datetime, int]]] = {program_id: [] for program_id in program_ids}
    versions = ProgramRequirementsVersion.objects.filter(program_id__in=found).order_by("number")
    for version in versions:
        found[version.program_id].append((version.effective_from, version.pk))
    return {key: VersionsOverTime(tuple(rows)) for key, rows in found.items()}


def titles_of_elective_sets(program_ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """For each of these programs, the newest title of each elective set by the code of its check.

    One statement; sets without a title are left out.
    """
    found: dict[int, dict[str, str]] = {program_id: {} for program_id in program_ids}
    sets = RequirementGroup.objects.filter(version__program_id__in=found, number__isnull=False)
    rows = sets.order_by("version__number").values_list("version__program_id", "number", "title")
    for program_id, number, title in rows:
        found[program_id][f"{ELECTIVE_SET}:{number}"] = title
    return {
        program_id: {code: title for code, title in titles.items() if title}
        for program_id, titles in found.items()
    }


def programs_including_runs(course_run_ids: Iterable[int]) -> dict[int, list[int]]:
    """For each of these runs, the ids of the programs that include it."""
    found: dict[int, list[int]] = {}
    pairs = ProgramCourseRun.objects.filter(course_run_id__in=set(course_run_ids))
    for course_run_id, program_id in pairs.values_list("course_run_id", "program_id"):
        found.setdefault(course_run_id, []).append(program_id)
    return found
