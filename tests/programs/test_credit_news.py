"""What a learner's home tells of their requests for credit, and for how long."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credentials_portal.accounts.models import User
from programs.enums import CertificateStatus, ProgramStatus
from programs.models import (
    CourseCertificateConfiguration,
    Program,
    ProgramCertificate,
    UserCreditPathway,
)
from programs.selectors.credit_news import CreditNews, credit_news_of
from tests.programs.factories import (
    AT,
    CourseCertificateFactory,
    CourseRunFactory,
    CreditRequestFactory,
    GradeFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    program_requiring,
)

pytestmark = pytest.mark.django_db

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
SINCE = AT - 30 * DAY


@pytest.fixture
def ann() -> User:
    ann: User = LearnerFactory.create()
    return ann


@pytest.fixture
def program(ann: User) -> Program:
    """A program whose one course Ann has earned."""
    run = CourseRunFactory.create()
    CourseCertificateFactory.create(user=ann, course_run=run)
    return program_requiring(core=[run.course])


def request(ann: User, at: datetime = AT - DAY, **fields: Any) -> UserCreditPathway:
    asked: UserCreditPathway = CreditRequestFactory.create(user=ann, requested_at=at, **fields)
    return asked


def news(ann: User) -> CreditNews:
    return credit_news_of(user_id=ann.pk, since=SINCE, at=AT)


def complete(ann: User, program: Program, *, at: datetime = AT - DAY) -> ProgramCertificate:
    certificate: ProgramCertificate = ProgramCertificateFactory.create(
        user=ann, program=program, awarded_at=at
    )
    return certificate


@pytest.mark.parametrize(
    ("answered_at", "is_news"),
    [(AT - DAY, True), (SINCE + timedelta(microseconds=1), True), (SINCE, False)],
)
def test_an_answer_is_news_for_thirty_days(ann: User, answered_at: datetime, is_news: bool) -> None:
    asked = request(ann, SINCE - DAY, answer="granted", answered_at=answered_at)

    assert news(ann).answered == ((asked,) if is_news else ())
    assert bool(news(ann)) is is_news


def test_what_was_withdrawn_is_no_news(ann: User) -> None:
    request(ann, answer="granted", answered_at=AT, status="withdrawn", withdrawn_at=AT)

    assert news(ann) == CreditNews()


def test_a_request_that_failed_is_news_until_it_is_made_again(ann: User) -> None:
    failed = request(ann, failed=True)
    before = news(ann)
    request(ann, AT, program=failed.program, pathway=failed.pathway, number=2, queued=True)

    assert before.failed == (failed,)
    assert news(ann) == CreditNews()


def test_a_request_that_failed_long_ago_is_no_news(ann: User) -> None:
    request(ann, SINCE, failed=True)

    assert news(ann) == CreditNews()


def test_a_program_completed_since_is_told_with_its_newest_request(
    ann: User, program: Program
) -> None:
    request(ann, AT - 90 * DAY, program=program)
    newest = request(ann, AT - 60 * DAY, program=program)
    complete(ann, program)

    assert news(ann).completed == (newest,)


@pytest.mark.parametrize(
    "fields",
    [
        {"was_completed": True},
        {"failed": True, "requested_at": SINCE - DAY},
        {"status": "withdrawn", "withdrawn_at": AT},
        {"legacy": True},
    ],
    ids=["completed then", "never sent", "withdrawn", "of an unknown program"],
)
def test_who_need_not_ask_again_is_not_told(
    ann: User, program: Program, fields: dict[str, Any]
) -> None:
    CreditRequestFactory.create(**{"user": ann, "program": program, **fields})
    complete(ann, program)

    assert news(ann) == CreditNews()


def test_who_has_asked_again_is_not_told(ann: User, program: Program) -> None:
    request(ann, AT - 60 * DAY, program=program)
    complete(ann, program, at=AT - 2 * DAY)
    request(ann, AT - DAY, program=program, was_completed=True)

    assert news(ann) == CreditNews()


def test_a_completion_of_long_ago_is_no_news(ann: User, program: Program) -> None:
    request(ann, AT - 90 * DAY, program=program)
    complete(ann, program, at=SINCE)

    assert news(ann) == CreditNews()


def test_a_revoked_certificate_completes_nothing(ann: User, program: Program) -> None:
    request(ann, AT - 90 * DAY, program=program)
    ProgramCertificateFactory.create(user=ann, program=program, revoked=True, awarded_at=AT - DAY)

    assert ProgramCertificate.objects.get().status == CertificateStatus.REVOKED
    assert news(ann) == CreditNews()


def test_a_completion_is_told_when_it_is_shown_and_not_before(ann: User, program: Program) -> None:
    asked = request(ann, AT - 90 * DAY, program=program)
    complete(ann, program)
    CourseCertificateConfiguration.objects.create(
        course_run=program.course_runs.get(), certificate_available_date=AT + DAY
    )

    before = news(ann)
    after = credit_news_of(user_id=ann.pk, since=SINCE, at=AT + DAY)

    assert before == CreditNews()
    assert after.completed == (asked,)


def test_a_completion_that_waited_for_long_is_told_for_thirty_days_from_when_it_is_shown(
    ann: User, program: Program
) -> None:
    asked = request(ann, AT - 90 * DAY, program=program)
    complete(ann, program, at=AT - 80 * DAY)
    CourseCertificateConfiguration.objects.create(
        course_run=program.course_runs.get(), certificate_available_date=AT
    )

    times = (AT - INSTANT, AT, AT + 30 * DAY - INSTANT, AT + 30 * DAY)
    told = [credit_news_of(user_id=ann.pk, since=at - 30 * DAY, at=at).completed for at in times]

    assert told == [(), (asked,), (asked,), ()]


def test_a_program_completed_by_grades_alone_is_told(ann: User) -> None:
    run = CourseRunFactory.create()
    GradeFactory.create(user=ann, course_run=run)
    program = program_requiring(core=[run.course])
    asked = request(ann, AT - 90 * DAY, program=program)
    complete(ann, program)

    assert news(ann).completed == (asked,)


def test_what_can_be_asked_about_no_more_is_not_told(ann: User, program: Program) -> None:
    request(ann, AT - 90 * DAY, program=program)
    complete(ann, program)
    program.status = ProgramStatus.UNPUBLISHED
    program.save()

    assert news(ann) == CreditNews()


def test_another_learners_news_are_not_told(ann: User, program: Program) -> None:
    other = LearnerFactory.create()
    request(other, answer="granted", answered_at=AT)
    request(other, AT - 90 * DAY, program=program)
    complete(ann, program)

    assert news(ann) == CreditNews()


def test_takes_two_statements_at_most(ann: User, program: Program) -> None:
    for _ in range(10):
        request(ann, AT - 90 * DAY, program=program)
        request(ann, failed=True)
        request(ann, answer="refused", answered_at=AT)
    complete(ann, program)

    with CaptureQueriesContext(connection) as queries:
        told = news(ann)

    assert (len(told.answered), len(told.failed), len(told.completed)) == (10, 10, 1)
    assert len(queries) == 2
