"""The rule of completion: one test for each sentence of it, then all of it against an oracle."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credentials_portal.accounts.models import User
from credentials_portal.core.sql import Fragment
from programs.enums import CertificateStatus
from programs.models import Course, CourseRun, Program, ProgramRequirementsVersion
from programs.selectors import (
    REQUIREMENTS_DEFINED,
    REQUIREMENTS_SATISFIABLE,
    Completion,
    completed_learners,
    completion_of,
    completion_verdicts,
)
from programs.services import (
    CertificateRecord,
    GradeRecord,
    RequiredGroup,
    define_requirements,
    include_runs,
    record_course_certificates,
    record_grades,
)
from tests.programs import oracle
from tests.programs.factories import (
    AT,
    BY,
    RUN_ENDS,
    CourseCertificateFactory,
    CourseFactory,
    CourseRunFactory,
    GradeFactory,
    LearnerFactory,
    ProgramFactory,
    program_requiring,
)

pytestmark = pytest.mark.django_db

INSTANT = timedelta(microseconds=1)


def judge(learner: User, program: Program, *, at: datetime = AT) -> Completion:
    """The verdict on one learner, once the form for the whole program has said the same."""
    verdict = completion_of(user_id=learner.pk, program_id=program.pk, at=at)
    assert (learner.pk in completed_learners(program_id=program.pk, at=at)) is verdict.is_complete
    return verdict


@pytest.fixture
def learner() -> User:
    return LearnerFactory.create()


@pytest.fixture
def run() -> CourseRun:
    return CourseRunFactory.create()


@pytest.fixture
def program(run: CourseRun) -> Program:
    """Requires one course, which has one run."""
    return program_requiring(core=[run.course])


# --- A course is met ---------------------------------------------------------------------------


def test_an_awarded_certificate_meets_the_course(
    learner: User, run: CourseRun, program: Program
) -> None:
    certificate = CourseCertificateFactory.create(user=learner, course_run=run)

    verdict = judge(learner, program)

    assert verdict.is_complete
    assert verdict.completed_at == certificate.awarded_at
    assert verdict.checks[-1].evidence == [
        {
            "course": run.course.key,
            "run": run.key,
            "source": "certificate",
            "id": certificate.pk,
            "earned_at": "2024-05-15T00:00:00+00:00",
        }
    ]


def test_a_final_verified_grade_that_passes_meets_the_course(
    learner: User, run: CourseRun, program: Program
) -> None:
    graded_at = RUN_ENDS + timedelta(days=7)
    grade = GradeFactory.create(user=learner, course_run=run, graded_at=graded_at)

    verdict = judge(learner, program)

    assert verdict.is_complete
    assert verdict.completed_at == graded_at
    assert [(fact["source"], fact["id"]) for fact in verdict.checks[-1].evidence] == [
        ("grade", grade.pk)
    ]


def test_a_grade_without_a_date_is_earned_at_the_end_of_the_run(
    learner: User, run: CourseRun, program: Program
) -> None:
    GradeFactory.create(user=learner, course_run=run, graded_at=None)

    assert judge(learner, program).completed_at == RUN_ENDS


def test_nothing_at_all_does_not_meet_the_course(learner: User, program: Program) -> None:
    verdict = judge(learner, program)

    assert not verdict.is_complete
    assert verdict.completed_at is None
    assert [code.partition(":")[0] for code in verdict.missing] == ["core_course"]


@pytest.mark.parametrize(
    "trait", [{"failing": True}, {"unverified": True}], ids=["failing", "unverified"]
)
def test_such_a_grade_does_not_meet_the_course(
    learner: User, run: CourseRun, program: Program, trait: dict[str, bool]
) -> None:
    GradeFactory.create(user=learner, course_run=run, **trait)

    assert judge(learner, program).missing == [f"core_course:{run.course.key}"]


@pytest.mark.parametrize(
    ("percent", "is_enough"),
    [("0.6", True), ("0.5999", False), ("0.6001", True), ("0", False), ("1", True)],
)
def test_a_grade_passes_from_the_runs_passing_grade_on(
    learner: User, run: CourseRun, program: Program, percent: str, is_enough: bool
) -> None:
    record_grades([GradeRecord(learner.pk, run.pk, Decimal(percent), is_final=True)], by=BY)

    assert judge(learner, program).is_complete is is_enough


@pytest.mark.parametrize("passed", [True, False])
def test_what_the_source_says_about_passing_outweighs_the_percentage(
    learner: User, run: CourseRun, program: Program, passed: bool
) -> None:
    percent = None if passed else Decimal(1)
    grade = GradeRecord(learner.pk, run.pk, percent, passed=passed, is_final=True)
    record_grades([grade], by=BY)

    assert judge(learner, program).is_complete is passed


@pytest.mark.parametrize(
    ("ends_after", "counts"),
    [(-INSTANT, True), (timedelta(0), True), (INSTANT, False), (None, False)],
    ids=["just before", "exactly then", "just after", "never"],
)
def test_a_provisional_grade_counts_once_the_run_has_ended(
    learner: User, ends_after: timedelta | None, counts: bool
) -> None:
    run = CourseRunFactory.create(end_date=None if ends_after is None else AT + ends_after)
    program = program_requiring(core=[run.course])
    GradeFactory.create(user=learner, course_run=run, provisional=True)

    assert judge(learner, program).is_complete is counts


@pytest.mark.parametrize("end", ["running", "endless"])
def test_a_final_grade_counts_while_the_run_goes_on_and_no_date_lies_ahead(
    learner: User, end: str
) -> None:
    run = CourseRunFactory.create(**{end: True})
    program = program_requiring(core=[run.course])
    GradeFactory.create(user=learner, course_run=run)

    verdict = judge(learner, program)

    assert verdict.is_complete
    assert verdict.completed_at is None


def test_a_revoked_certificate_voids_its_runs_grade(
    learner: User, run: CourseRun, program: Program
) -> None:
    GradeFactory.create(user=learner, course_run=run)
    CourseCertificateFactory.create(user=learner, course_run=run, revoked=True)

    assert judge(learner, program).missing == [f"core_course:{run.course.key}"]


def test_another_run_still_meets_the_course_of_a_revoked_certificate(
    learner: User, run: CourseRun
) -> None:
    second_run = CourseRunFactory.create(course=run.course)
    program = program_requiring(core=[run.course])
    CourseCertificateFactory.create(user=learner, course_run=run, revoked=True)
    GradeFactory.create(user=learner, course_run=second_run)

    verdict = judge(learner, program)

    assert verdict.is_complete
    assert [fact["run"] for fact in verdict.checks[-1].evidence] == [second_run.key]


def test_another_learners_grade_meets_nothing(
    learner: User, run: CourseRun, program: Program
) -> None:
    GradeFactory.create(course_run=run)

    assert not judge(learner, program).is_complete


def test_only_included_runs_count(learner: User, run: CourseRun) -> None:
    excluded = CourseRunFactory.create(course=run.course)
    program = program_requiring(core=[run.course], including=[run])
    GradeFactory.create(user=learner, course_run=excluded)

    before = judge(learner, program).is_complete
    include_runs(program=program, course_run_ids=[run.pk, excluded.pk], by=BY)

    assert not before
    assert judge(learner, program).is_complete


def test_several_runs_of_a_course_count_once(learner: User) -> None:
    courses = CourseFactory.create_batch(3)
    runs = [CourseRunFactory.create(course=course) for course in courses]
    again = CourseRunFactory.create(course=courses[0], end_date=RUN_ENDS + timedelta(days=200))
    program = program_requiring(electives=[(2, courses)])
    for passed_run in (runs[0], again):
        GradeFactory.create(user=learner, course_run=passed_run)

    verdict = judge(learner, program)

    assert not verdict.is_complete
    assert [fact["run"] for fact in verdict.checks[-1].evidence] == [runs[0].key]


# --- Requirements ------------------------------------------------------------------------------


@pytest.mark.parametrize(("passed", "is_enough"), [(1, False), (2, True), (3, True)])
def test_an_elective_set_needs_so_many_of_its_courses(
    learner: User, passed: int, is_enough: bool
) -> None:
    courses = CourseFactory.create_batch(3)
    program = program_requiring(electives=[(2, courses)])
    include_runs(
        program=program,
        course_run_ids=[CourseRunFactory.create(course=course).pk for course in courses],
        by=BY,
    )
    for number, included in enumerate(program.course_runs.order_by("pk")[:passed]):
        GradeFactory.create(
            user=learner, course_run=included, graded_at=RUN_ENDS + timedelta(days=number)
        )

    verdict = judge(learner, program)

    assert verdict.is_complete is is_enough
    # The set was met by its second course, whatever came after.
    assert verdict.completed_at == (RUN_ENDS + timedelta(days=1) if is_enough else None)


def test_the_core_needs_all_of_its_courses_and_each_elective_set_its_own(learner: User) -> None:
    runs = CourseRunFactory.create_batch(4)
    core, electives = runs[:2], runs[2:]
    program = program_requiring(
        core=[run.course for run in core], electives=[(1, [run.course for run in electives])]
    )
    GradeFactory.create(user=learner, course_run=core[0])
    GradeFactory.create(user=learner, course_run=electives[0])

    missing_before = judge(learner, program).missing
    GradeFactory.create(user=learner, course_run=core[1])

    assert missing_before == [f"core_course:{core[1].course.key}"]
    assert judge(learner, program).is_complete


def test_a_completion_is_dated_only_if_all_dates_are_known(learner: User) -> None:
    dated, undated = CourseRunFactory.create(), CourseRunFactory.create(endless=True)
    program = program_requiring(core=[dated.course, undated.course])
    for course_run in (dated, undated):
        GradeFactory.create(user=learner, course_run=course_run)

    verdict = judge(learner, program)

    assert verdict.is_complete
    assert [check.met_at for check in verdict.checks[2:]] == [RUN_ENDS, None]
    assert verdict.completed_at is None


def test_checks_are_told_in_the_order_of_the_requirements(learner: User) -> None:
    last, first = CourseRunFactory.create(), CourseRunFactory.create()
    program = program_requiring(core=[first.course, last.course])

    codes = [check.code for check in judge(learner, program).checks]

    assert codes == [
        REQUIREMENTS_DEFINED,
        REQUIREMENTS_SATISFIABLE,
        f"core_course:{first.course.key}",
        f"core_course:{last.course.key}",
    ]


def test_an_empty_version_is_never_complete(learner: User, run: CourseRun) -> None:
    program = program_requiring(including=[run])
    GradeFactory.create(user=learner, course_run=run)

    verdict = judge(learner, program)

    assert verdict.version_id is not None
    assert verdict.missing == [REQUIREMENTS_DEFINED]


def test_a_program_without_a_version_is_never_complete(learner: User, run: CourseRun) -> None:
    program = ProgramFactory.create()
    include_runs(program=program, course_run_ids=[run.pk], by=BY)
    GradeFactory.create(user=learner, course_run=run)

    verdict = judge(learner, program)

    assert verdict.version_id is None
    assert verdict.missing == [REQUIREMENTS_DEFINED]


def test_requirements_that_the_included_runs_cannot_meet_are_named(
    learner: User, run: CourseRun
) -> None:
    course_without_run = CourseFactory.create()
    program = program_requiring(core=[run.course, course_without_run])

    assert judge(learner, program).missing == [
        REQUIREMENTS_SATISFIABLE,
        f"core_course:{run.course.key}",
        f"core_course:{course_without_run.key}",
    ]


def test_requirements_edited_later_leave_the_earlier_verdict_alone(
    learner: User, run: CourseRun, program: Program
) -> None:
    GradeFactory.create(user=learner, course_run=run)
    earlier = program.requirements_versions.get()
    added = CourseRunFactory.create()
    include_runs(program=program, course_run_ids=[run.pk, added.pk], by=BY)
    groups = [RequiredGroup((run.course_id, added.course_id))]
    define_requirements(program=program, groups=groups, by=BY)

    in_force = judge(learner, program)
    by_the_earlier = completion_of(
        user_id=learner.pk, program_id=program.pk, at=AT, version_id=earlier.pk
    )

    assert in_force.missing == [f"core_course:{added.course.key}"]
    assert by_the_earlier.is_complete
    assert by_the_earlier.version_id == earlier.pk
    assert judge(learner, program, at=AT - INSTANT).is_complete


def test_a_result_is_not_compared_with_every_run_of_the_program() -> None:
    learners = LearnerFactory.create_batch(100)
    course_runs = CourseRunFactory.create_batch(20)
    program = program_requiring(core=[run.course for run in course_runs])
    version = program.requirements_versions.get()
    record_grades(
        [
            GradeRecord(user.pk, run.pk, Decimal(1), is_final=True)
            for user in learners
            for run in course_runs[:10]
        ],
        by=BY,
    )
    subjects = Fragment(
        "SELECT id AS user_id, %s::bigint AS program_id, %s::bigint AS version_id FROM accounts_user",
        (program.pk, version.pk),
    )
    verdicts = completion_verdicts(subjects, at=AT)

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {verdicts.sql}", verdicts.params)
        [[plan]] = cursor.fetchone()

    # 100 learners with 20 checks each, and 10 grades; 20 runs times 10 grades would be 20,000.
    assert max(rows_looked_at(plan["Plan"])) < 5_000


def rows_looked_at(node: dict[str, Any]) -> Iterator[float]:
    """For each node of a plan, how many rows it gave or threw away."""
    kinds = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")
    yield sum(node.get(kind, 0) for kind in kinds) * node["Actual Loops"]
    for child in node.get("Plans", ()):
        yield from rows_looked_at(child)


# --- All of it, against the oracle ---------------------------------------------------------------

COURSES = 4
DATES = st.sampled_from([AT - timedelta(days=400), AT - INSTANT, AT, AT + INSTANT])
PERCENTAGES = st.sampled_from([Decimal(text) for text in ("0", "0.5999", "0.6", "0.7", "1")])

runs = st.builds(
    oracle.Run,
    course=st.integers(0, COURSES - 1),
    passing_grade=st.sampled_from([Decimal("0.6"), Decimal("0.7"), Decimal(1)]),
    ends_at=st.none() | DATES,
    is_included=st.sampled_from([True, True, True, False]),
)
grades = st.builds(
    oracle.Grade,
    percent=st.none() | PERCENTAGES,
    says_passed=st.sampled_from([None, None, True, False]),
    is_verified=st.sampled_from([True, True, False]),
    is_final=st.booleans(),
    graded_at=st.none() | DATES,
)
certificates = st.builds(
    oracle.Certificate, is_awarded=st.sampled_from([True, True, False]), awarded_at=DATES
)
attempts = st.builds(
    oracle.Attempt,
    grade=st.none() | grades,
    certificate=st.sampled_from([True, False, False]).flatmap(
        lambda has_one: certificates if has_one else st.none()
    ),
)


@st.composite
def groups(draw: st.DrawFn) -> tuple[oracle.Group, ...]:
    """Some courses in a core, some in up to two elective sets; often none at all."""
    places = draw(st.lists(st.sampled_from("CCEFX"), min_size=COURSES, max_size=COURSES))
    found = []
    for place in "CEF":
        members = tuple(index for index, chosen in enumerate(places) if chosen == place)
        if members:
            number = None if place == "C" else draw(st.integers(1, len(members)))
            found.append(oracle.Group(members, number))
    return tuple(found) if draw(st.sampled_from([True, True, True, False])) else ()


@st.composite
def worlds(draw: st.DrawFn) -> oracle.World:
    run_list = draw(st.lists(runs, min_size=1, max_size=7))
    begins = sorted(draw(st.lists(DATES, max_size=3, unique=True)))
    learner = st.dictionaries(st.integers(0, len(run_list) - 1), attempts)
    return oracle.World(
        runs=tuple(run_list),
        versions=tuple(oracle.Version(begin, draw(groups())) for begin in begins),
        learners=tuple(draw(st.lists(learner, min_size=12, max_size=12))),
    )


@given(world=worlds())
@settings(
    max_examples=500 if os.environ.get("FULL") else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_one_learner_and_whole_program_agree_with_the_oracle(world: oracle.World) -> None:
    with built(world) as (program, learners, versions):
        in_force = oracle.version_in_force(world, AT)
        expected = {
            learner.pk
            for learner, attempts in zip(learners, world.learners, strict=True)
            if oracle.is_complete(world, attempts, in_force, AT)
        }

        alone = {
            learner.pk
            for learner in learners
            if completion_of(user_id=learner.pk, program_id=program.pk, at=AT).is_complete
        }

        assert alone == expected
        assert completed_learners(program_id=program.pk, at=AT) == expected
        assert stated_verdicts(program, learners, versions) == expected_verdicts(
            world, learners, versions
        )


Verdicts = set[tuple[int, int, str, bool, datetime | None]]


def expected_verdicts(
    world: oracle.World, learners: list[User], versions: list[ProgramRequirementsVersion]
) -> Verdicts:
    """(learner, version, required courses, met, since when) for every learner and version."""
    found: Verdicts = set()
    for learner, attempts in zip(learners, world.learners, strict=True):
        for version, row in zip(world.versions, versions, strict=True):
            for group in version.groups:
                if group.required_number is None:
                    checks: list[tuple[tuple[int, ...], int]] = [((c,), 1) for c in group.courses]
                else:
                    checks = [(group.courses, group.required_number)]
                for courses, needed in checks:
                    met = [oracle.dates_met(world, attempts, course, AT) for course in courses]
                    firsts = [min(filter(None, dates), default=None) for dates in met if dates]
                    dates = sorted(filter(None, firsts))
                    since = dates[needed - 1] if len(dates) >= needed else None
                    key = "+".join(map(str, courses))
                    found.add((learner.pk, row.pk, key, len(firsts) >= needed, since))
    return found


def stated_verdicts(
    program: Program, learners: list[User], versions: list[ProgramRequirementsVersion]
) -> Verdicts:
    """What the SQL says about this program, judged together with another that includes more."""
    subjects = Fragment(
        "SELECT user_id, program.id AS program_id, version_id FROM programs_program AS program,"
        " unnest(%s::bigint[]) AS user_id, unnest(%s::bigint[]) AS version_id",
        ([user.pk for user in learners], [version.pk for version in versions]),
    )
    verdicts = completion_verdicts(subjects, at=AT)
    courses_of = {
        (version.pk, f"elective_set:{group.number}"): "+".join(
            member.course.key.removeprefix("course ") for member in group.courses.all()
        )
        for version in versions
        for group in version.groups.prefetch_related("courses__course")
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT user_id, version_id, code, passed, met_at FROM ({verdicts.sql}) AS verdict"  # noqa: S608 - our own SQL
            " WHERE program_id = %s AND code NOT LIKE 'requirements%%'",
            (*verdicts.params, program.pk),
        )
        return {
            (
                user_id,
                version_id,
                courses_of.get((version_id, code)) or code.removeprefix("core_course:course "),
                passed,
                met_at,
            )
            for user_id, version_id, code, passed, met_at in cursor.fetchall()
        }


@contextmanager
def built(
    world: oracle.World,
) -> Iterator[tuple[Program, list[User], list[ProgramRequirementsVersion]]]:
    """The world as rows, through the services; gone afterwards."""
    with transaction.atomic():
        program = Program.objects.create(title="World")
        courses = Course.objects.bulk_create(
            Course(key=f"course {number}") for number in range(COURSES)
        )
        run_rows = CourseRun.objects.bulk_create(
            CourseRun(
                course=courses[run.course],
                key=f"run {number}",
                end_date=run.ends_at,
                passing_grade=run.passing_grade,
            )
            for number, run in enumerate(world.runs)
        )
        users = get_user_model().objects
        learners = users.bulk_create(
            User(username=f"world{number}") for number in range(len(world.learners))
        )
        included = [
            row.pk for row, run in zip(run_rows, world.runs, strict=True) if run.is_included
        ]
        include_runs(program=program, course_run_ids=included, by=BY)
        decoy = Program.objects.create(title="includes every run")
        include_runs(program=decoy, course_run_ids=[row.pk for row in run_rows], by=BY)
        versions = [define_version(program, courses, version) for version in world.versions]
        grade_records, certificate_records = attempt_records(world, learners, run_rows)
        record_grades(grade_records, by=BY)
        record_course_certificates(certificate_records, by=BY)
        yield program, learners, versions
        transaction.set_rollback(True)


def define_version(
    program: Program, courses: list[Course], version: oracle.Version
) -> ProgramRequirementsVersion:
    return define_requirements(
        program=program,
        groups=[
            RequiredGroup(
                tuple(courses[index].pk for index in group.courses), group.required_number
            )
            for group in version.groups
        ],
        effective_from=version.effective_from,
        by=BY,
    )


def attempt_records(
    world: oracle.World, learners: list[User], run_rows: list[CourseRun]
) -> tuple[list[GradeRecord], list[CertificateRecord]]:
    grade_records, certificate_records = [], []
    for learner, attempts in zip(learners, world.learners, strict=True):
        for index, attempt in attempts.items():
            key: dict[str, Any] = {"user_id": learner.pk, "course_run_id": run_rows[index].pk}
            if attempt.grade:
                grade_records.append(
                    GradeRecord(
                        **key,
                        percent_grade=attempt.grade.percent,
                        passed=attempt.grade.says_passed,
                        verified=attempt.grade.is_verified,
                        is_final=attempt.grade.is_final,
                        graded_at=attempt.grade.graded_at,
                    )
                )
            if attempt.certificate:
                certificate_records.append(
                    CertificateRecord(
                        **key,
                        awarded_at=attempt.certificate.awarded_at,
                        status=CertificateStatus.AWARDED
                        if attempt.certificate.is_awarded
                        else CertificateStatus.REVOKED,
                    )
                )
    return grade_records, certificate_records
