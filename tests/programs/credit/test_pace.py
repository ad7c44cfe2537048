"""How often learners may ask, and when they may ask again."""

from datetime import timedelta
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from programs.enums import CreditRequestSource
from programs.models import Pathway, Program, SharedProgramRecord, UserCreditPathway
from programs.selectors.records import record_of
from programs.services.credit import TooManyRequestsError
from tests.programs.conftest import Announcement
from tests.programs.credit.asking import ask, ask_as_staff, certify, program_of_one_course
from tests.programs.factories import AT, CreditRequestFactory, LearnerFactory, pathway_of

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def test_the_same_within_two_minutes_is_the_same(
    ann: User, program: Program, pathway: Pathway, announced: list[Announcement]
) -> None:
    request, _is_new = ask(ann, program, pathway)

    again = [ask(ann, program, pathway, at=AT + seconds * SECOND) for seconds in (0, 10, 119)]

    assert again == [(request, False)] * 3
    assert UserCreditPathway.objects.count() == SharedProgramRecord.objects.count() == 1
    assert OutboxMessage.objects.count() == 1
    assert len(announced) == 1
    assert ask(ann, program, pathway, at=AT + 120 * SECOND).is_new


@pytest.mark.parametrize("status", ["failed", "withdrawn"])
def test_what_failed_or_was_withdrawn_may_be_asked_again_at_once(
    ann: User, program: Program, pathway: Pathway, status: str
) -> None:
    request, _is_new = ask(ann, program, pathway)
    UserCreditPathway.objects.update(status=status, withdrawn_at=AT)

    again = ask(ann, program, pathway, at=AT + SECOND)

    assert again.is_new
    assert (again.request.number, request.number) == (2, 1)


def test_learners_may_ask_again_every_day_where_no_cooldown_is_set(
    ann: User, program: Program, pathway: Pathway
) -> None:
    assert all(ask(ann, program, pathway, at=AT + days * DAY).is_new for days in range(5))


def test_a_cooldown_refuses_the_same_record_until_it_is_over(ann: User, program: Program) -> None:
    pathway = pathway_of(program, cooldown_days=7)
    ask(ann, program, pathway)

    with pytest.raises(TooManyRequestsError) as refusal:
        ask(ann, program, pathway, at=AT + DAY)

    assert refusal.value.code == "cooldown"
    assert refusal.value.retry_after == 6 * DAY
    assert refusal.value.next_allowed_at == AT + 7 * DAY
    assert refusal.value.details == {"next_allowed_at": AT + 7 * DAY}
    assert UserCreditPathway.objects.count() == OutboxMessage.objects.count() == 1
    with pytest.raises(TooManyRequestsError):
        ask(ann, program, pathway, at=AT + 7 * DAY - SECOND)
    assert ask(ann, program, pathway, at=AT + 7 * DAY).is_new


def test_a_cooldown_is_lifted_when_the_record_changed(ann: User) -> None:
    program = program_of_one_course()
    pathway = pathway_of(program, cooldown_days=7)
    ask(ann, program, pathway)
    certify(ann, program, at=AT)

    assert ask(ann, program, pathway, at=AT + DAY).is_new
    with pytest.raises(TooManyRequestsError):
        ask(ann, program, pathway, at=AT + 2 * DAY)


@pytest.mark.parametrize("status", ["failed", "withdrawn"])
def test_what_failed_or_was_withdrawn_needs_no_cooldown(
    ann: User, program: Program, status: str
) -> None:
    pathway = pathway_of(program, cooldown_days=7)
    ask(ann, program, pathway)
    UserCreditPathway.objects.update(status=status, withdrawn_at=AT)

    assert ask(ann, program, pathway, at=AT + SECOND).is_new


def asked_before(ann: User, count: int, **fields: Any) -> None:
    """Requests of as many hours, the newest an hour ago."""
    for hours in range(count):
        at = AT - timedelta(hours=1 + hours)
        CreditRequestFactory.create(user=ann, requested_at=at, sent_at=at, **fields)


def test_the_twenty_first_request_within_thirty_days_waits_for_the_first_to_fall_out(
    ann: User, program: Program, pathway: Pathway
) -> None:
    asked_before(ann, 20)

    with pytest.raises(TooManyRequestsError) as refusal:
        ask(ann, program, pathway)

    first = AT - timedelta(hours=20)
    assert refusal.value.code == "quota"
    assert refusal.value.next_allowed_at == first + 30 * DAY
    assert refusal.value.retry_after == 30 * DAY - timedelta(hours=20)
    assert UserCreditPathway.objects.count() == 20
    assert OutboxMessage.objects.count() == 0
    assert ask(ann, program, pathway, at=first + 30 * DAY).is_new


def test_where_the_quota_was_lowered_enough_must_fall_out(
    ann: User, program: Program, pathway: Pathway, settings: Any
) -> None:
    settings.CREDIT_REQUESTS_PER_MONTH = 2
    asked_before(ann, 5)

    with pytest.raises(TooManyRequestsError) as refusal:
        ask(ann, program, pathway)

    assert refusal.value.next_allowed_at == AT - timedelta(hours=2) + 30 * DAY


def test_a_quota_of_none_refuses_everything(
    ann: User, program: Program, pathway: Pathway, settings: Any
) -> None:
    settings.CREDIT_REQUESTS_PER_MONTH = 0

    with pytest.raises(TooManyRequestsError):
        ask(ann, program, pathway)


def test_of_two_limits_the_longer_counts(ann: User, program: Program, settings: Any) -> None:
    settings.CREDIT_REQUESTS_PER_MONTH = 1
    pathway = pathway_of(program, cooldown_days=31)
    ask(ann, program, pathway)

    with pytest.raises(TooManyRequestsError) as refusal:
        ask(ann, program, pathway, at=AT + DAY)

    assert (refusal.value.code, refusal.value.next_allowed_at) == ("cooldown", AT + 31 * DAY)


def test_what_failed_or_was_imported_is_not_of_the_quota(
    ann: User, program: Program, pathway: Pathway
) -> None:
    asked_before(ann, 15, failed=True)
    asked_before(ann, 15, legacy=True)
    asked_before(ann, 19)

    assert ask(ann, program, pathway).is_new


def test_other_learners_requests_are_not_of_the_quota(
    ann: User, program: Program, pathway: Pathway
) -> None:
    asked_before(LearnerFactory.create(), 20)

    assert ask(ann, program, pathway).is_new


def test_imported_requests_set_no_pace(ann: User, program: Program) -> None:
    pathway = pathway_of(program, cooldown_days=7)
    record = record_of(user_id=ann.pk, program_uuid=program.uuid, at=AT)
    CreditRequestFactory.create(
        user=ann,
        program=program,
        pathway=pathway,
        source=CreditRequestSource.IMPORT,
        record_fingerprint=record.fingerprint,
    )

    request, is_new = ask(ann, program, pathway)

    assert (request.number, is_new) == (2, True)


def test_staff_ask_as_often_as_they_need_to_but_not_twice_by_a_second_click(
    ann: User, program: Program, settings: Any
) -> None:
    settings.CREDIT_REQUESTS_PER_MONTH = 1
    staff = LearnerFactory.create()
    pathway = pathway_of(program, cooldown_days=7)
    ask(ann, program, pathway)

    again = ask_as_staff(ann, program, pathway, staff=staff, at=AT + 120 * SECOND)
    twice = ask_as_staff(ann, program, pathway, staff=staff, at=AT + 130 * SECOND)

    assert again.is_new
    assert twice == (again.request, False)
