"""Requests for codes are approved, each with a code of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from subsidy_requests.enums import DecisionSource, ErrorCode, RequestState
from subsidy_requests.models import Coupon, CouponCode, CouponCodeRequest
from subsidy_requests.services.approving import SupersededError, approve_code_requests
from subsidy_requests.services.coupons import (
    CouponNotFoundError,
    CouponUnusableError,
    LocalPool,
    NotEnoughCodesError,
)
from subsidy_requests.services.gate import WrongSubsidyTypeError
from tests.letters.conftest import Statements
from tests.licenses.factories import AT, LearnerFactory
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeFactory,
    CouponCodeRequestFactory,
    CouponFactory,
    by_at,
)

pytestmark = pytest.mark.django_db


class Generous(LocalPool):
    """A provider that promises more codes than it has, as one somewhere else may."""

    def free_codes(self, coupon: Coupon) -> int:
        return super().free_codes(coupon) + 10


class Broken(LocalPool):
    def take_codes(
        self, coupon: Coupon, request_uuids: Sequence[UUID], *, at: datetime
    ) -> dict[UUID, int]:
        super().take_codes(coupon, request_uuids, at=at)
        raise ConnectionError


@pytest.fixture
def coupon() -> Coupon:
    """Two codes of a customer whose learners may ask for them."""
    coupon: Coupon = CouponFactory.create(
        customer=ConfigurationFactory.create(coupons=True).customer
    )
    CouponCodeFactory.create_batch(2, coupon=coupon)
    return coupon


def ask(coupon: Coupon, **fields: Any) -> CouponCodeRequest:
    request: CouponCodeRequest = CouponCodeRequestFactory.create(customer=coupon.customer, **fields)
    return request


def approve(coupon: Coupon, *requests: CouponCodeRequest, **how: Any) -> list[CouponCodeRequest]:
    if "by" not in how:
        how["by"] = by_at(AT, actor=LearnerFactory.create())
    return approve_code_requests(
        **{
            "customer": coupon.customer,
            "uuids": [request.uuid for request in requests],
            "coupon_id": coupon.pk,
            "source": DecisionSource.ADMIN_API,
            "notify": True,
            **how,
        }
    )


def states(*requests: CouponCodeRequest) -> list[str]:
    for request in requests:
        request.refresh_from_db()
    return [request.state for request in requests]


def taken() -> int:
    return CouponCode.objects.exclude(source_request_uuid=None).count()


def assert_nothing_happened(*requests: CouponCodeRequest) -> None:
    assert set(states(*requests)) == {RequestState.REQUESTED}
    assert taken() == 0
    assert not OutboxMessage.objects.exists()


def test_gives_each_learner_a_code_that_no_mail_names(coupon: Coupon) -> None:
    requests = [ask(coupon), ask(coupon)]

    assert approve(coupon, *requests) == requests
    assert approve(coupon, *requests) == []

    assert states(*requests) == [RequestState.FULFILLED] * 2
    codes = [request.coupon_code for request in requests]
    assert [code.source_request_uuid for code in codes if code] == [
        request.uuid for request in requests
    ]
    assert {request.coupon for request in requests} == {coupon}
    mails = OutboxMessage.objects.order_by("pk").values_list("payload", flat=True)
    assert [mail["request"] for mail in mails] == [request.pk for request in requests]
    assert not any(code.code in str(mails) for code in codes if code)
    assert rows_without_true_history(CouponCodeRequest) == 0


def test_too_few_codes_are_given_to_nobody(coupon: Coupon) -> None:
    requests = [ask(coupon) for _number in range(3)]

    with pytest.raises(NotEnoughCodesError):
        approve(coupon, *requests)

    assert_nothing_happened(*requests)


def test_for_whom_the_provider_has_no_code_after_all_is_in_error(coupon: Coupon) -> None:
    requests = [ask(coupon) for _number in range(3)]

    approve(coupon, *requests, provider=Generous())

    assert states(*requests) == [
        RequestState.FULFILLED,
        RequestState.FULFILLED,
        RequestState.ERROR,
    ]
    assert requests[-1].error_code == ErrorCode.NO_CODES
    assert OutboxMessage.objects.count() == 2
    assert rows_without_true_history(CouponCodeRequest) == 0


def test_a_provider_that_breaks_takes_no_code(coupon: Coupon) -> None:
    request = ask(coupon)

    approve(coupon, request, provider=Broken())

    assert states(request) == [RequestState.ERROR]
    assert (request.error_code, request.coupon_code) == (ErrorCode.INTERNAL, None)
    assert taken() == 0
    assert not OutboxMessage.objects.exists()

    approve(coupon, request)

    assert states(request) == [RequestState.FULFILLED]
    assert OutboxMessage.objects.count() == 1


def test_a_coupon_that_cannot_be_used_gives_nothing(coupon: Coupon) -> None:
    request = ask(coupon)
    Coupon.objects.filter(pk=coupon.pk).update(ends_at=AT)

    with pytest.raises(CouponUnusableError):
        approve(coupon, request)

    assert_nothing_happened(request)


def test_another_customers_coupon_is_not_found(coupon: Coupon) -> None:
    request = ask(coupon)

    with pytest.raises(CouponNotFoundError):
        approve(coupon, request, coupon_id=CouponFactory.create().pk)

    assert_nothing_happened(request)


def test_codes_are_not_granted_where_licenses_are_offered(coupon: Coupon) -> None:
    request = ask(coupon)
    coupon.customer.subsidy_request_configuration.subsidy_type = "license"
    coupon.customer.subsidy_request_configuration.save()

    with pytest.raises(WrongSubsidyTypeError):
        approve(coupon, request)

    assert_nothing_happened(request)


def test_what_failed_is_superseded_by_a_later_request_for_the_same_course(coupon: Coupon) -> None:
    failed = ask(coupon, failed=True, course_id="edX+DemoX")
    ask(coupon, user=failed.user, course_id="edX+DemoX")

    with pytest.raises(SupersededError):
        approve(coupon, failed)

    assert states(failed) == [RequestState.ERROR]


def test_a_later_request_for_another_course_supersedes_nothing(coupon: Coupon) -> None:
    failed = ask(coupon, failed=True)
    ask(coupon, user=failed.user)

    approve(coupon, failed)

    assert states(failed) == [RequestState.FULFILLED]


@pytest.mark.parametrize("count", [10, 100])
def test_approves_in_a_fixed_number_of_statements(
    coupon: Coupon, statements: Statements, count: int
) -> None:
    CouponCodeFactory.create_batch(count, coupon=coupon)
    requests = [ask(coupon) for _number in range(count)]
    by = by_at(AT, actor=LearnerFactory.create())

    with statements.counted() as texts:
        approve(coupon, *requests, by=by)

    assert len(texts) == 16
    assert OutboxMessage.objects.count() == count
