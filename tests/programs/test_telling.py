"""Certificates and grades of one learner, as the LMS tells of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import AccountRetiredError, NamedPerson, retire_user
from credentials_portal.core.history import rows_without_true_history
from programs.enums import CertificateSource, CertificateStatus, RevocationKind
from programs.models import (
    CourseCertificate,
    CourseCertificateConfiguration,
    CourseGrade,
    CourseRun,
    Program,
    ProgramCertificate,
    ProgramCertificateConfiguration,
)
from programs.services import award_program_certificates
from programs.services.configurations import NotConfiguredError
from programs.services.telling import (
    CertificateNotFoundError,
    Details,
    RunUnknownError,
    Told,
    change_certificate,
    tell_course_certificate,
    tell_grade,
    tell_program_certificate,
)
from programs.signals import ProgramFact, RunFact
from tests.core.outbox.test_races import at_once
from tests.programs.conftest import Announcement
from tests.programs.factories import (
    AT,
    BY,
    RUN_ENDS,
    CourseCertificateFactory,
    CourseRunFactory,
    GradeFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    ProgramFactory,
)

pytestmark = pytest.mark.django_db

LATER = replace(BY, at=AT + timedelta(days=1))
AWARDED = Told(status=CertificateStatus.AWARDED, source=CertificateSource.LMS)
REVOKED = replace(AWARDED, status=CertificateStatus.REVOKED)
ADA = NamedPerson("ada", 17)
OVERRIDE = datetime(2024, 2, 29, tzinfo=UTC)


@pytest.fixture
def ada() -> User:
    learner: User = LearnerFactory.create(username="ada")
    return learner


@pytest.fixture
def program() -> Program:
    """One that awards certificates."""
    return awarding_program()


def awarding_program(**fields: Any) -> Program:
    program: Program = ProgramFactory.create(**fields)
    ProgramCertificateConfiguration.objects.create(program=program, is_active=True)
    return program


def tell_program(program: Program, told: Told, by: Any = BY, **details: Any) -> ProgramCertificate:
    uuid = tell_program_certificate(
        learner=ADA, program_uuid=program.uuid, told=told, by=by, details=cast("Details", details)
    )
    return ProgramCertificate.objects.get(uuid=uuid)


def tell_run(run: CourseRun, told: Told, by: Any = BY, **details: Any) -> CourseCertificate:
    uuid = tell_course_certificate(
        learner=ADA, course_run_key=run.key, told=told, by=by, details=cast("Details", details)
    )
    return CourseCertificate.objects.get(uuid=uuid)


def test_a_program_certificate_is_awarded(
    ada: User, program: Program, announced: list[Announcement]
) -> None:
    stored = tell_program(program, AWARDED)

    assert (stored.user, stored.status, stored.source) == (ada, "awarded", "lms")
    assert (stored.awarded_at, stored.revoked_at, stored.revocation_kind) == (AT, None, "")
    assert announced == [
        ("program_certificate_awarded", (ProgramFact(ada.pk, program.pk),)),
    ]
    assert stored.history.get().cause == BY.cause
    assert rows_without_true_history(ProgramCertificate) == 0


def test_telling_the_same_again_changes_nothing(
    ada: User, program: Program, announced: list[Announcement]
) -> None:
    attributes = [{"name": "grade", "value": "A"}]
    first = tell_program(program, AWARDED, attributes=attributes)
    again = tell_program(program, AWARDED, by=LATER, attributes=attributes)

    assert (again.uuid, again.modified) == (first.uuid, first.modified)
    assert len(announced) == again.history.count() == 1


def test_an_unknown_learner_gets_an_account(program: Program) -> None:
    stored = tell_program(program, AWARDED)

    assert (stored.user.username, stored.user.lms_user_id) == ("ada", 17)
    assert not stored.user.has_usable_password()


def test_a_program_certificate_is_revoked_by_a_decision(
    ada: User, program: Program, announced: list[Announcement]
) -> None:
    tell_program(program, AWARDED)

    stored = tell_program(program, REVOKED, by=LATER)

    assert (stored.status, stored.revocation_kind) == ("revoked", "decided")
    assert (stored.awarded_at, stored.revoked_at) == (AT, LATER.at)
    assert announced[1:] == [
        ("program_certificate_revoked", (ProgramFact(ada.pk, program.pk),)),
    ]


def test_a_certificate_can_be_told_of_as_revoked_at_once(
    ada: User, program: Program, announced: list[Announcement]
) -> None:
    stored = tell_program(program, REVOKED)

    assert (stored.status, stored.revoked_at, stored.source) == ("revoked", AT, "lms")
    assert [name for name, _ in announced] == ["program_certificate_revoked"]


def test_a_revoked_certificate_is_awarded_again(
    ada: User, program: Program, announced: list[Announcement]
) -> None:
    revoked = tell_program(program, REVOKED)

    stored = tell_program(program, AWARDED, by=LATER)

    assert stored.uuid == revoked.uuid
    assert (stored.status, stored.awarded_at, stored.revoked_at) == ("awarded", LATER.at, None)
    assert (stored.revocation_kind, stored.revocation_reason) == ("", "")
    assert [name for name, _ in announced][1:] == ["program_certificate_awarded"]


def test_what_the_portal_computed_is_the_lms_from_then_on(
    ada: User, program: Program, announced: list[Announcement]
) -> None:
    """So the portal does not take back what the LMS vouches for."""
    ProgramCertificateFactory.create(user=ada, program=program)

    stored = tell_program(program, AWARDED)

    award_program_certificates(program=program, by=LATER)
    stored.refresh_from_db()
    assert (stored.status, stored.source) == ("awarded", "lms")
    assert (stored.awarded_at, announced) == (RUN_ENDS, [])


def test_what_the_portal_took_back_is_decided_once_the_lms_revokes_it(
    ada: User, program: Program, announced: list[Announcement]
) -> None:
    ProgramCertificateFactory.create(user=ada, program=program, revoked=True)

    stored = tell_program(program, REVOKED, by=LATER)

    assert (stored.revocation_kind, stored.revoked_at) == (RevocationKind.DECIDED, AT)
    assert [name for name, _ in announced] == ["program_certificate_revoked"]


def test_the_reason_of_staff_stays_with_what_they_revoked(ada: User, program: Program) -> None:
    ProgramCertificateFactory.create(
        user=ada,
        program=program,
        status=CertificateStatus.REVOKED,
        revoked_at=AT,
        revocation_kind=RevocationKind.DECIDED,
        revocation_reason="Somebody else sat the exam.",
    )

    stored = tell_program(program, REVOKED, by=LATER)

    assert stored.revocation_reason == "Somebody else sat the exam."


@pytest.mark.parametrize("is_configured", [True, False])
def test_a_program_that_awards_none_is_refused(
    is_configured: bool, announced: list[Announcement]
) -> None:
    program = ProgramFactory.create()
    if is_configured:
        ProgramCertificateConfiguration.objects.create(program=program, is_active=False)

    with pytest.raises(NotConfiguredError):
        tell_program(program, AWARDED)

    assert not User.objects.filter(username="ada").exists()
    assert (ProgramCertificate.objects.count(), announced) == (0, [])


def test_a_program_that_nobody_knows_is_refused() -> None:
    with pytest.raises(NotConfiguredError):
        tell_program_certificate(learner=ADA, program_uuid=UUID(int=7), told=AWARDED, by=BY)


def test_nothing_is_awarded_to_who_left(ada: User, program: Program) -> None:
    retire_user(user=ada, at=AT, actor=None, reason="Asked to leave.")

    with pytest.raises(AccountRetiredError):
        tell_program_certificate(
            learner=NamedPerson(f"retired__user_{ada.pk}"),
            program_uuid=program.uuid,
            told=AWARDED,
            by=BY,
        )

    assert not ProgramCertificate.objects.exists()


def test_attributes_are_added_and_replaced_by_name(ada: User, program: Program) -> None:
    tell_program(
        program, AWARDED, attributes=[{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]
    )

    stored = tell_program(
        program, AWARDED, attributes=[{"name": "b", "value": "3"}, {"name": "c", "value": "4"}]
    )

    assert stored.attributes == [
        {"name": "a", "value": "1"},
        {"name": "b", "value": "3"},
        {"name": "c", "value": "4"},
    ]


def test_a_course_certificate_is_awarded_and_its_run_configured(
    ada: User, announced: list[Announcement]
) -> None:
    run = CourseRunFactory.create()

    stored = tell_run(run, replace(AWARDED, mode="masters"), date_override=OVERRIDE)

    assert (stored.user, stored.mode, stored.source) == (ada, "masters", "lms")
    assert (stored.awarded_at, stored.date_override) == (AT, OVERRIDE)
    configuration = run.certificate_configurations.get()
    assert (configuration.certificate_type, configuration.is_active) == ("masters", True)
    assert announced == [("course_certificate_awarded", (RunFact(ada.pk, run.pk),))]
    for model in (CourseCertificate, CourseCertificateConfiguration):
        assert rows_without_true_history(model) == 0


def test_what_is_not_told_of_a_course_certificate_stays(ada: User) -> None:
    run = CourseRunFactory.create()
    CourseCertificateFactory.create(
        user=ada,
        course_run=run,
        date_override=OVERRIDE,
        attributes=[{"name": "a", "value": "1"}],
        mode="honor",
    )

    stored = tell_run(run, replace(REVOKED, mode="honor"), by=LATER)

    assert (stored.awarded_at, stored.date_override) == (RUN_ENDS, OVERRIDE)
    assert stored.attributes == [{"name": "a", "value": "1"}]
    assert (stored.status, stored.revoked_at) == ("revoked", LATER.at)


def test_an_override_is_removed_by_none(ada: User) -> None:
    run = CourseRunFactory.create()
    CourseCertificateFactory.create(user=ada, course_run=run, date_override=OVERRIDE)

    assert tell_run(run, AWARDED, date_override=None).date_override is None


def test_a_course_certificate_that_is_awarded_again_keeps_its_date(
    ada: User, announced: list[Announcement]
) -> None:
    run = CourseRunFactory.create()
    CourseCertificateFactory.create(user=ada, course_run=run, revoked=True)

    stored = tell_run(run, AWARDED, by=LATER)

    assert (stored.status, stored.awarded_at, stored.revoked_at) == ("awarded", RUN_ENDS, None)
    assert [name for name, _ in announced] == ["course_certificate_awarded"]


@pytest.mark.parametrize("mode", ["", "verified", "masters"])
def test_a_run_whose_certificates_were_turned_off_is_refused(mode: str) -> None:
    run = CourseRunFactory.create()
    run.certificate_configurations.create(certificate_type="verified", is_active=False)

    with pytest.raises(NotConfiguredError):
        tell_run(run, replace(AWARDED, mode=mode))

    assert not CourseCertificate.objects.exists()
    assert run.certificate_configurations.count() == 1


def test_a_new_mode_is_not_seen_before_the_others(ada: User) -> None:
    run = CourseRunFactory.create()
    run.certificate_configurations.create(
        certificate_type="verified", is_active=True, certificate_available_date=LATER.at
    )

    tell_run(run, replace(AWARDED, mode="masters"))

    masters = run.certificate_configurations.get(certificate_type="masters")
    assert masters.certificate_available_date == LATER.at


def test_without_a_mode_it_is_the_runs_own(ada: User) -> None:
    run, bare = CourseRunFactory.create_batch(2)
    run.certificate_configurations.create(certificate_type="professional", is_active=True)

    assert tell_run(run, AWARDED).mode == "professional"
    assert tell_run(bare, AWARDED).mode == "verified"


def test_a_mode_that_is_not_told_stays(ada: User) -> None:
    run = CourseRunFactory.create()
    run.certificate_configurations.create(certificate_type="verified", is_active=True)
    CourseCertificateFactory.create(user=ada, course_run=run, mode="honor")

    assert tell_run(run, REVOKED).mode == "honor"


def test_a_run_that_is_not_in_the_catalog_is_refused() -> None:
    with pytest.raises(RunUnknownError):
        tell_course_certificate(learner=ADA, course_run_key="a/b/c", told=AWARDED, by=BY)

    assert not User.objects.exists()


def test_a_certificate_is_changed_by_its_uuid(
    ada: User, program: Program, announced: list[Announcement]
) -> None:
    of_program = ProgramCertificateFactory.create(user=ada, program=program)
    of_run = CourseCertificateFactory.create(user=ada)
    staff = replace(REVOKED, source=CertificateSource.STAFF)

    for certificate in (of_program, of_run):
        change_certificate(certificate_uuid=certificate.uuid, told=staff, by=LATER)
        certificate.refresh_from_db()

    assert (of_program.status, of_program.revocation_kind) == ("revoked", "decided")
    assert (of_run.status, of_run.revoked_at) == ("revoked", LATER.at)
    # Who revokes a certificate does not vouch for it.
    assert (of_program.source, of_run.source) == ("computed", "lms")
    assert [name for name, _ in announced] == [
        "program_certificate_revoked",
        "course_certificate_revoked",
    ]


def test_who_left_gets_no_certificate_back(ada: User, program: Program) -> None:
    of_program = ProgramCertificateFactory.create(user=ada, program=program, revoked=True)
    of_run = CourseCertificateFactory.create(user=ada, revoked=True)
    retire_user(user=ada, at=AT, actor=None, reason="Asked to leave.")

    for certificate in (of_program, of_run):
        with pytest.raises(AccountRetiredError):
            change_certificate(certificate_uuid=certificate.uuid, told=AWARDED, by=LATER)

        change_certificate(certificate_uuid=certificate.uuid, told=REVOKED, by=LATER)
        certificate.refresh_from_db()
        assert certificate.status == "revoked"


def test_an_unknown_uuid_is_no_certificate() -> None:
    with pytest.raises(CertificateNotFoundError):
        change_certificate(certificate_uuid=UUID(int=7), told=REVOKED, by=BY)


def grade(run: CourseRun, percent: str = "0.9", **told: Any) -> CourseGrade:
    pk = tell_grade(
        learner=ADA,
        course_run_key=run.key,
        told={"percent_grade": Decimal(percent), **told},  # type: ignore[typeddict-item]  # for a test
        by=BY,
    )
    return CourseGrade.objects.get(pk=pk)


def test_a_grade_is_stored_and_judged(announced: list[Announcement]) -> None:
    run = CourseRunFactory.create()

    stored = grade(run, letter_grade="A", verified=True, lms_last_updated_at=AT)

    assert stored.user.username == "ada"
    assert (stored.percent_grade, stored.letter_grade) == (Decimal("0.9000"), "A")
    assert (stored.passed, stored.is_final, stored.lms_last_updated_at) == (True, False, AT)
    assert announced == [("course_grade_changed", (RunFact(stored.user_id, run.pk),))]


def test_an_older_grade_is_ignored(announced: list[Announcement]) -> None:
    run = CourseRunFactory.create()
    grade(run, "0.9", lms_last_updated_at=AT)

    stored = grade(run, "0.3", lms_last_updated_at=AT - timedelta(seconds=1))

    assert (stored.percent_grade, len(announced)) == (Decimal("0.9000"), 1)


def test_what_another_source_said_of_a_grade_stays(ada: User) -> None:
    run = CourseRunFactory.create()
    GradeFactory.create(
        user=ada, course_run=run, percent_grade=Decimal("0.5"), passed=True, graded_at=RUN_ENDS
    )

    same = grade(run, "0.5", letter_grade="D")
    assert (same.passed, same.is_final, same.graded_at) == (True, True, RUN_ENDS)

    other = grade(run, "0.4")
    assert (other.passed, other.letter_grade, other.is_final) == (False, "D", True)


def test_a_grade_of_an_unknown_run_is_refused() -> None:
    with pytest.raises(RunUnknownError):
        tell_grade(learner=ADA, course_run_key="a/b/c", told={"letter_grade": "A"}, by=BY)

    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["program", "run", "grade"])
def test_of_eight_tellings_at_once_there_is_one_account_and_one_row(
    what: str, announced: list[Announcement]
) -> None:
    program, run = awarding_program(), CourseRunFactory.create()
    works: dict[str, Callable[[], Any]] = {
        "program": lambda: tell_program(program, AWARDED).pk,
        "run": lambda: tell_run(run, replace(AWARDED, mode="masters")).pk,
        "grade": lambda: grade(run, lms_last_updated_at=AT).pk,
    }

    results = at_once(*[works[what]] * 8)

    assert len(set(results)) == 1
    assert User.objects.get().username == "ada"
    models = (ProgramCertificate, CourseCertificate, CourseGrade)
    assert sum(model.objects.count() for model in models) == 1
    assert [rows_without_true_history(model) for model in models] == [0, 0, 0]
    assert len(announced) == 1


@pytest.mark.django_db(transaction=True)
def test_the_last_word_is_the_lms_while_certificates_are_computed() -> None:
    program = awarding_program()
    ada = LearnerFactory.create(username="ada")
    for _round in range(10):
        ProgramCertificate.objects.all().delete()
        ProgramCertificateFactory.create(user=ada, program=program)

        at_once(
            lambda: award_program_certificates(program=program, by=BY),
            lambda: tell_program(program, AWARDED),
        )

        stored = ProgramCertificate.objects.get()
        assert (stored.status, stored.source) == ("awarded", "lms")
