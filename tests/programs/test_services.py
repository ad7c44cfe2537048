from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from credentials_portal.accounts.models import User
from credentials_portal.core.history import rows_without_true_history
from programs.enums import CertificateStatus, GroupKind, RevocationKind
from programs.models import (
    CourseCertificate,
    CourseEnrollment,
    CourseGrade,
    CourseRun,
    Program,
    ProgramCertificate,
    ProgramCourseRun,
    ProgramEnrollment,
    ProgramRequirementsVersion,
    RequirementCourse,
    RequirementGroup,
)
from programs.services import (
    CertificateRecord,
    EnrollmentRecord,
    GradeRecord,
    ImpossibleRequirementsError,
    RequiredGroup,
    define_requirements,
    delete_grades,
    enroll_in_programs,
    include_runs,
    record_course_certificates,
    record_course_enrollments,
    record_grades,
    requirements_of,
    revoke_program_certificates,
)
from programs.signals import ProgramChange, ProgramFact, RunFact, course_grade_changed
from tests.programs.conftest import Announcement
from tests.programs.factories import (
    AT,
    BY,
    RUN_ENDS,
    CourseFactory,
    CourseRunFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    ProgramFactory,
    program_requiring,
)

pytestmark = pytest.mark.django_db

LATER = replace(BY, at=AT + timedelta(days=1), reason="later")


@pytest.fixture
def learner() -> User:
    return LearnerFactory.create()


@pytest.fixture
def run() -> CourseRun:
    return CourseRunFactory.create()


def statements(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def history_of(row: models.Model) -> list[tuple[str, str | None, str]]:
    """(type, reason, cause) of a row's history, oldest first."""
    manager: Any = row
    return list(
        manager.history.order_by("history_id").values_list(
            "history_type", "history_change_reason", "cause"
        )
    )


# --- Grades ------------------------------------------------------------------------------------


def test_records_a_new_grade_and_announces_it(
    learner: User, run: CourseRun, announced: list[Announcement]
) -> None:
    changed = record_grades([GradeRecord(learner.pk, run.pk, Decimal("0.87"))], by=BY)

    assert changed == 1
    grade = CourseGrade.objects.get()
    assert (grade.user, grade.course_run, grade.percent_grade) == (learner, run, Decimal("0.87"))
    assert (grade.passed, grade.verified, grade.is_final) == (True, True, False)
    assert history_of(grade) == [("+", "for a test", "test")]
    assert announced == [("course_grade_changed", (RunFact(learner.pk, run.pk),))]


def test_replaces_a_grade_that_changed(
    learner: User, run: CourseRun, announced: list[Announcement]
) -> None:
    record_grades([GradeRecord(learner.pk, run.pk, Decimal("0.87"))], by=BY)
    announced.clear()

    changed = record_grades([GradeRecord(learner.pk, run.pk, Decimal("0.5"))], by=LATER)

    assert changed == 1
    grade = CourseGrade.objects.get()
    assert (grade.percent_grade, grade.passed, grade.modified) == (Decimal("0.5"), False, LATER.at)
    assert history_of(grade) == [("+", "for a test", "test"), ("~", "later", "test")]
    assert announced == [("course_grade_changed", (RunFact(learner.pk, run.pk),))]


def test_the_same_grade_again_changes_and_announces_nothing(
    learner: User, run: CourseRun, announced: list[Announcement]
) -> None:
    # More digits than are stored: still the same grade.
    record = GradeRecord(learner.pk, run.pk, Decimal("0.66666666"), graded_at=RUN_ENDS)
    record_grades([record], by=BY)
    announced.clear()

    changed = record_grades([record], by=LATER)

    assert changed == 0
    assert CourseGrade.objects.get().modified == AT
    assert len(history_of(CourseGrade.objects.get())) == 1
    assert announced == []


@pytest.mark.parametrize(
    ("sent_after", "is_taken"),
    [
        (timedelta(microseconds=-1), False),
        (timedelta(0), True),
        (timedelta(microseconds=1), True),
        (None, False),
    ],
    ids=["older", "same", "newer", "undated"],
)
def test_only_news_that_is_not_older_replaces_a_dated_grade(
    learner: User, run: CourseRun, sent_after: timedelta | None, is_taken: bool
) -> None:
    stored = GradeRecord(learner.pk, run.pk, Decimal("0.7"), lms_last_updated_at=AT)
    record_grades([stored], by=BY)

    news = replace(
        stored,
        percent_grade=Decimal("0.8"),
        lms_last_updated_at=None if sent_after is None else AT + sent_after,
    )
    changed = record_grades([news], by=LATER)

    assert changed == int(is_taken)
    assert CourseGrade.objects.get().percent_grade == Decimal("0.8" if is_taken else "0.7")


SENT = [None, AT, AT + timedelta(days=1)]


@pytest.mark.parametrize("first", SENT)
@pytest.mark.parametrize("second", SENT)
def test_several_records_of_one_grade_come_to_the_same_at_once_and_one_by_one(
    learner: User, run: CourseRun, first: datetime | None, second: datetime | None
) -> None:
    def records(key: CourseRun) -> list[GradeRecord]:
        return [
            GradeRecord(learner.pk, key.pk, Decimal(text), lms_last_updated_at=sent)
            for text, sent in (("0.1", first), ("0.9", second))
        ]

    changed = record_grades(records(run), by=BY)
    another = CourseRunFactory.create()
    for record in records(another):
        record_grades([record], by=BY)

    assert changed == 1
    at_once, one_by_one = CourseGrade.objects.order_by("course_run_id")
    assert at_once.percent_grade == one_by_one.percent_grade
    assert at_once.lms_last_updated_at == one_by_one.lms_last_updated_at


def test_a_percentage_beyond_the_scale_is_refused(learner: User, run: CourseRun) -> None:
    with pytest.raises(IntegrityError, match="course_grade_is_a_fraction"), transaction.atomic():
        record_grades([GradeRecord(learner.pk, run.pk, Decimal("1.0001"))], by=BY)

    assert not CourseGrade.objects.exists()


def test_deletes_a_grade_and_keeps_its_history(
    learner: User, run: CourseRun, announced: list[Announcement]
) -> None:
    record_grades([GradeRecord(learner.pk, run.pk, Decimal("0.9"))], by=BY)
    grade = CourseGrade.objects.get()
    announced.clear()

    deleted = delete_grades(grade_ids=[grade.pk], by=LATER)
    again = delete_grades(grade_ids=[grade.pk], by=LATER)

    assert (deleted, again) == (1, 0)
    assert not CourseGrade.objects.exists()
    assert history_of(grade) == [("+", "for a test", "test"), ("-", "later", "test")]
    assert announced == [("course_grade_changed", (RunFact(learner.pk, run.pk),))]


def test_no_grades_are_no_statement_beyond_the_transaction(announced: list[Announcement]) -> None:
    savepoint_and_release = 2

    assert statements(lambda: record_grades([], by=BY)) == savepoint_and_release
    assert announced == []


# --- Any number of rows in the same number of statements -------------------------------------------


def grade_records(runs: list[CourseRun], users: list[User]) -> list[GradeRecord]:
    return [GradeRecord(user.pk, run.pk, Decimal("0.5")) for user in users for run in runs]


def certificate_records(runs: list[CourseRun], users: list[User]) -> list[CertificateRecord]:
    return [CertificateRecord(user.pk, run.pk, RUN_ENDS) for user in users for run in runs]


def enrollment_records(runs: list[CourseRun], users: list[User]) -> list[EnrollmentRecord]:
    return [EnrollmentRecord(user.pk, run.pk, "verified") for user in users for run in runs]


BULK: list[Any] = [
    (record_grades, grade_records, CourseGrade),
    (record_course_certificates, certificate_records, CourseCertificate),
    (record_course_enrollments, enrollment_records, CourseEnrollment),
]


@pytest.mark.parametrize(("service", "records_of", "model"), BULK)
def test_fifty_rows_take_as_many_statements_as_one_and_all_have_true_history(
    service: Any, records_of: Any, model: type[models.Model]
) -> None:
    runs = CourseRunFactory.create_batch(5)
    users = LearnerFactory.create_batch(11)
    records = records_of(runs, users)

    for_one = statements(lambda: service(records_of(runs[:1], users[:1]), by=BY))
    for_fifty = statements(lambda: service(records[5:], by=BY))

    assert for_fifty == for_one
    assert model._default_manager.count() == 51
    assert rows_without_true_history(model) == 0


@pytest.mark.parametrize(("service", "records_of", "model"), BULK)
def test_the_same_rows_again_leave_no_trace(
    service: Any, records_of: Any, model: type[models.Model], announced: list[Announcement]
) -> None:
    records = records_of(CourseRunFactory.create_batch(2), LearnerFactory.create_batch(2))
    service(records, by=BY)
    announced.clear()

    changed = service(records, by=LATER)

    assert changed == 0
    assert announced == []
    history: Any = model
    assert history.history.count() == 4


# --- Course certificates -------------------------------------------------------------------------


def test_awards_revokes_and_awards_again(
    learner: User, run: CourseRun, announced: list[Announcement]
) -> None:
    awarded = CertificateRecord(learner.pk, run.pk, RUN_ENDS)
    revoked = replace(awarded, status=CertificateStatus.REVOKED)

    changed = [
        record_course_certificates([record], by=BY) for record in (awarded, revoked, awarded)
    ]

    assert changed == [1, 1, 1]
    certificate = CourseCertificate.objects.get()
    assert (certificate.status, certificate.revoked_at) == (CertificateStatus.AWARDED, None)
    fact = RunFact(learner.pk, run.pk)
    assert announced == [
        ("course_certificate_awarded", (fact,)),
        ("course_certificate_revoked", (fact,)),
        ("course_certificate_awarded", (fact,)),
    ]
    assert rows_without_true_history(CourseCertificate) == 0


def test_a_revocation_without_a_date_that_arrives_twice_keeps_its_first_date(
    learner: User, run: CourseRun, announced: list[Announcement]
) -> None:
    revoked = CertificateRecord(learner.pk, run.pk, RUN_ENDS, status=CertificateStatus.REVOKED)
    record_course_certificates([revoked], by=BY)
    announced.clear()

    changed = record_course_certificates([revoked], by=LATER)

    assert changed == 0
    assert CourseCertificate.objects.get().revoked_at == AT
    assert announced == []


# --- Program certificates and enrollments ------------------------------------------------------------


def test_revokes_program_certificates_from_any_source_once(announced: list[Announcement]) -> None:
    program = ProgramFactory.create()
    computed = ProgramCertificateFactory.create(program=program)
    sent = ProgramCertificateFactory.create(program=program, from_lms=True)
    elsewhere = ProgramCertificateFactory.create(user=computed.user)
    learners = [computed.user_id, sent.user_id]

    first = revoke_program_certificates(
        program=program, user_ids=learners, reason="issued in error", by=BY
    )
    second = revoke_program_certificates(
        program=program, user_ids=learners, reason="issued in error", by=LATER
    )

    assert (first, second) == (tuple(learners), ())
    revoked = ProgramCertificate.objects.filter(status=CertificateStatus.REVOKED)
    assert set(revoked.values_list("pk", "revoked_at", "revocation_kind", "revocation_reason")) == {
        (computed.pk, AT, RevocationKind.DECIDED, "issued in error"),
        (sent.pk, AT, RevocationKind.DECIDED, "issued in error"),
    }
    elsewhere.refresh_from_db()
    assert elsewhere.status == CertificateStatus.AWARDED
    assert announced == [
        ("program_certificate_revoked", tuple(ProgramFact(pk, program.pk) for pk in learners))
    ]


def test_enrolls_in_a_program_and_ends_the_enrollment(learner: User) -> None:
    program = ProgramFactory.create()

    begun = enroll_in_programs(user_ids=[learner.pk, learner.pk], program=program, by=BY)
    again = enroll_in_programs(user_ids=[learner.pk], program=program, by=BY)
    ended = enroll_in_programs(user_ids=[learner.pk], program=program, is_active=False, by=LATER)

    assert (begun, again, ended) == (1, 0, 1)
    assert not ProgramEnrollment.objects.get().is_active
    assert rows_without_true_history(ProgramEnrollment) == 0


# --- Requirements ----------------------------------------------------------------------------------


def test_defines_requirements_and_announces_them(announced: list[Announcement]) -> None:
    program = ProgramFactory.create()
    first, second, third = CourseFactory.create_batch(3)
    groups = [RequiredGroup((second.pk, first.pk)), RequiredGroup((third.pk,), 1, "Electives")]

    version = define_requirements(program=program, groups=groups, by=BY, note="as decided")

    assert (version.number, version.effective_from, version.note) == (1, AT, "as decided")
    assert requirements_of(version) == groups
    assert announced == [("program_requirements_changed", (ProgramChange(program.pk),))]


def test_the_same_requirements_again_make_no_version(announced: list[Announcement]) -> None:
    program = ProgramFactory.create()
    groups = [RequiredGroup((CourseFactory.create().pk,))]
    version = define_requirements(program=program, groups=groups, by=BY)
    announced.clear()

    again = define_requirements(program=program, groups=groups, by=LATER)

    assert again == version
    assert program.requirements_versions.count() == 1
    assert announced == []


def test_other_requirements_make_the_next_version_and_leave_the_earlier_one() -> None:
    program = ProgramFactory.create()
    courses = CourseFactory.create_batch(2)
    earlier = [RequiredGroup((courses[0].pk,))]
    first = define_requirements(program=program, groups=earlier, by=BY)

    second = define_requirements(
        program=program, groups=[RequiredGroup(tuple(c.pk for c in courses))], by=LATER
    )

    assert (second.number, second.effective_from) == (2, LATER.at)
    assert requirements_of(first) == earlier


def test_requirements_can_be_taken_away() -> None:
    program = program_requiring(core=[CourseFactory.create()])

    version = define_requirements(program=program, groups=[], by=BY)

    assert (version.number, requirements_of(version)) == (2, [])


@pytest.mark.parametrize("are_the_same", [False, True])
def test_a_version_cannot_take_effect_before_the_one_that_it_replaces(are_the_same: bool) -> None:
    course = CourseFactory.create()
    program = program_requiring(core=[course], effective_from=AT)

    with pytest.raises(ImpossibleRequirementsError, match="Version 1 takes effect on 2025-06-01"):
        define_requirements(
            program=program,
            groups=[RequiredGroup((course.pk,))] if are_the_same else [],
            by=BY,
            effective_from=AT - timedelta(microseconds=1),
        )

    assert program.requirements_versions.count() == 1


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ([RequiredGroup(())], "asks for 0 of 0"),
        ([RequiredGroup((1, 2), 0)], "asks for 0 of 2"),
        ([RequiredGroup((1, 2), 3, "Electives")], "“Electives” asks for 3 of 2"),
        ([RequiredGroup((1,)), RequiredGroup((2,))], "one core at the most"),
        ([RequiredGroup((1,)), RequiredGroup((1, 2), 1)], "one group only"),
        ([RequiredGroup((1, 1))], "one group only"),
    ],
    ids=["empty core", "none of two", "three of two", "two cores", "in two groups", "twice"],
)
def test_impossible_requirements_are_refused(
    groups: list[RequiredGroup], reason: str, announced: list[Announcement]
) -> None:
    program = ProgramFactory.create()

    with pytest.raises(ImpossibleRequirementsError, match=reason):
        define_requirements(program=program, groups=groups, by=BY)

    assert not program.requirements_versions.exists()
    assert announced == []


# The same, past the service: the database itself refuses.


@contextmanager
def committed() -> Iterator[None]:
    """A transaction in which all is checked that a commit would check."""
    with transaction.atomic():
        yield
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def raw_version(**fields: Any) -> ProgramRequirementsVersion:
    return ProgramRequirementsVersion.objects.create(
        **{"program": ProgramFactory.create(), "number": 1, "effective_from": AT, "group_count": 1}
        | fields
    )


def raw_group(**fields: Any) -> RequirementGroup:
    version = fields.pop("version", None) or raw_version()
    kind = fields.pop("kind", GroupKind.ELECTIVES)
    number = version.groups.count() + 1 if kind == GroupKind.ELECTIVES else None
    return RequirementGroup.objects.create(
        **{"version": version, "kind": kind, "number": number}
        | {"required_number": 1, "course_count": 1}
        | fields
    )


def add_course(group: RequirementGroup, **fields: Any) -> RequirementCourse:
    course = fields.pop("course", None) or CourseFactory.create()
    return RequirementCourse.objects.create(
        **{"group": group, "version": group.version, "course": course} | fields
    )


def core_of_two_that_asks_for_one() -> None:
    raw_group(kind=GroupKind.CORE, required_number=1, course_count=2)


def two_cores() -> None:
    version = raw_version(group_count=2)
    for _number in range(2):
        raw_group(version=version, kind=GroupKind.CORE)


def fewer_courses_than_counted() -> None:
    add_course(raw_group(required_number=2, course_count=2))


def more_courses_than_counted() -> None:
    group = raw_group()
    add_course(group)
    add_course(group)


def a_course_of_another_version() -> None:
    group = raw_group()
    add_course(group, version=raw_version(group_count=0))


def a_course_twice() -> None:
    group = raw_group(course_count=2)
    course = CourseFactory.create()
    add_course(group, course=course)
    add_course(group, course=course)


def fewer_groups_than_counted() -> None:
    raw_version(group_count=1)


@pytest.mark.parametrize(
    ("attempt", "constraint"),
    [
        (lambda: raw_group(required_number=0), "requirement_group_can_be_met"),
        (lambda: raw_group(required_number=2), "requirement_group_can_be_met"),
        (core_of_two_that_asks_for_one, "requirement_group_core_requires_all"),
        (two_cores, "requirements_version_has_one_core"),
        (fewer_courses_than_counted, "are not those it counts"),
        (more_courses_than_counted, "are not those it counts"),
        (a_course_of_another_version, "are not those it counts"),
        (a_course_twice, "requirements_version_has_course_once"),
        (fewer_groups_than_counted, "are not those it counts"),
    ],
)
def test_the_database_refuses_impossible_requirements(
    attempt: Callable[[], object], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), committed():
        attempt()

    assert not RequirementGroup.objects.exists()


def test_the_database_lets_no_group_and_no_course_join_a_version_later() -> None:
    with committed():
        version = program_requiring(core=[CourseFactory.create()]).requirements_versions.get()

    for join in (
        lambda: add_course(raw_group(version=version)),
        lambda: add_course(version.groups.get()),
    ):
        with pytest.raises(IntegrityError, match="are not those it counts"), committed():
            join()

    assert version.courses.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda version: version.groups.update(required_number=1),
        lambda version: version.courses.update(position=7),
        lambda version: type(version).objects.update(effective_from=RUN_ENDS),
        lambda version: type(version).objects.update(number=9),
        lambda version: type(version).objects.update(program=ProgramFactory.create()),
        lambda version: version.courses.all()._raw_delete(using="default"),
        lambda version: version.groups.all()._raw_delete(using="default"),
    ],
    ids=["group", "course", "effect", "number", "program", "without a course", "without a group"],
)
def test_the_database_refuses_to_change_what_was_written(
    change: Callable[[ProgramRequirementsVersion], object],
) -> None:
    with committed():
        version = program_requiring(core=[CourseFactory.create()]).requirements_versions.get()

    with pytest.raises(IntegrityError, match="requirements are immutable"), transaction.atomic():
        change(version)

    assert requirements_of(version) == [RequiredGroup((version.courses.get().course_id,))]


# --- Included runs -----------------------------------------------------------------------------------


def included(program: Program) -> list[int]:
    return list(program.included_runs.values_list("course_run_id", flat=True))


def test_includes_exactly_these_runs_in_this_order(announced: list[Announcement]) -> None:
    program = ProgramFactory.create()
    first, second, third = (run.pk for run in CourseRunFactory.create_batch(3))
    include_runs(program=program, course_run_ids=[first, second], by=BY)
    dropped = program.included_runs.get(course_run_id=first)
    announced.clear()

    include_runs(program=program, course_run_ids=[third, second, third], by=LATER)

    assert included(program) == [third, second]
    assert history_of(dropped) == [("+", "for a test", "test"), ("-", "later", "test")]
    assert announced == [("program_requirements_changed", (ProgramChange(program.pk),))]
    assert rows_without_true_history(ProgramCourseRun) == 0


def test_another_order_of_the_same_runs_is_no_change_of_requirements(
    announced: list[Announcement],
) -> None:
    program = ProgramFactory.create()
    first, second = (run.pk for run in CourseRunFactory.create_batch(2))
    include_runs(program=program, course_run_ids=[first, second], by=BY)
    announced.clear()

    include_runs(program=program, course_run_ids=[second, first], by=LATER)

    assert included(program) == [second, first]
    assert announced == []
    assert rows_without_true_history(ProgramCourseRun) == 0


def test_the_same_runs_again_change_nothing() -> None:
    program = ProgramFactory.create()
    runs = [run.pk for run in CourseRunFactory.create_batch(2)]
    include_runs(program=program, course_run_ids=runs, by=BY)

    include_runs(program=program, course_run_ids=runs, by=LATER)

    assert ProgramCourseRun.history.count() == 2


def test_including_fifty_runs_takes_as_many_statements_as_one() -> None:
    one, fifty = ProgramFactory.create_batch(2)
    runs = [run.pk for run in CourseRunFactory.create_batch(50)]

    for_one = statements(lambda: include_runs(program=one, course_run_ids=runs[:1], by=BY))
    for_fifty = statements(lambda: include_runs(program=fifty, course_run_ids=runs, by=BY))

    assert for_fifty == for_one


def test_a_failing_receiver_undoes_the_change(learner: User, run: CourseRun) -> None:
    def fail(**_kwargs: Any) -> None:
        raise RuntimeError("a receiver failed")

    course_grade_changed.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            record_grades([GradeRecord(learner.pk, run.pk, Decimal(1))], by=BY)
    finally:
        course_grade_changed.disconnect(fail)

    assert not CourseGrade.objects.exists()
    assert not CourseGrade.history.exists()
