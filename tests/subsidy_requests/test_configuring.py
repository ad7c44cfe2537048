"""Whether a customer's learners may ask, and what becomes of their requests when that changes."""

from typing import Any

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from subsidy_requests.enums import DecisionSource, ErrorCode, RequestState, SubsidyType
from subsidy_requests.models import (
    CouponCodeRequest,
    LicenseRequest,
    SubsidyRequestCustomerConfiguration,
)
from subsidy_requests.services.configuring import (
    ConfigurationExistsError,
    change_configuration,
    open_configuration,
)
from subsidy_requests.services.declining import AT_ONCE
from subsidy_requests.services.gate import RequestsNotConfiguredError
from tests.letters.conftest import Statements
from tests.licenses.factories import AT, DAY, CustomerFactory, LearnerFactory
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeRequestFactory,
    LicenseRequestFactory,
    by_at,
)

pytestmark = pytest.mark.django_db

Configuration = SubsidyRequestCustomerConfiguration
THEN = AT + DAY
FAILED_BY_ITSELF = {
    "state": RequestState.ERROR,
    "decision_source": DecisionSource.COMMAND,
    "error_code": ErrorCode.INTERNAL,
}


@pytest.fixture
def admin() -> User:
    return LearnerFactory.create()


def change(configuration: Configuration, *, by: User, **how: Any) -> None:
    change_configuration(customer=configuration.customer, **{"by": by_at(THEN, actor=by), **how})
    configuration.refresh_from_db()


def test_is_opened_once_by_somebody(admin: User) -> None:
    customer = CustomerFactory.create()

    opened = open_configuration(
        customer=customer, subsidy_type=SubsidyType.LICENSE, by=by_at(AT, actor=admin)
    )
    with pytest.raises(ConfigurationExistsError):
        open_configuration(customer=customer, by=by_at(AT, actor=admin))

    assert (opened.subsidy_requests_enabled, opened.subsidy_type) == (False, "license")
    assert (opened.changed_by, opened.created) == (admin, AT)
    assert Configuration.history.get().history_user == admin


def test_what_is_missing_cannot_be_changed(admin: User) -> None:
    with pytest.raises(RequestsNotConfiguredError):
        change_configuration(customer=CustomerFactory.create(), by=by_at(AT, actor=admin))

    assert not Configuration.objects.exists()


def test_disabling_keeps_open_requests(admin: User) -> None:
    configuration = ConfigurationFactory.create()
    request = LicenseRequestFactory.create(customer=configuration.customer)

    change(configuration, by=admin, subsidy_requests_enabled=False)

    request.refresh_from_db()
    assert request.state == RequestState.REQUESTED
    assert (configuration.subsidy_requests_enabled, configuration.changed_by) == (False, admin)


def test_the_same_again_writes_nothing(admin: User) -> None:
    configuration = ConfigurationFactory.create()

    change(configuration, by=admin, subsidy_type="license", subsidy_requests_enabled=True)

    assert configuration.changed_by is None
    assert not Configuration.history.filter(history_type="~").exists()


@pytest.mark.parametrize("wanted", [SubsidyType.COUPON, None])
def test_another_type_declines_what_nobody_granted_of_the_former(
    admin: User, wanted: SubsidyType | None
) -> None:
    configuration = ConfigurationFactory.create()
    customer = configuration.customer
    requested = LicenseRequestFactory.create(customer=customer)
    failed = LicenseRequestFactory.create(customer=customer, failed=True)
    cancelled = LicenseRequestFactory.create(customer=customer, cancelled=True)
    others = LicenseRequestFactory.create()
    for_code = CouponCodeRequestFactory.create(customer=customer)

    change(configuration, by=admin, subsidy_type=wanted, notify=True)

    for request in (requested, failed):
        request.refresh_from_db()
        assert (request.state, request.decision_source, request.reviewed_at) == (
            RequestState.DECLINED,
            DecisionSource.TYPE_CHANGE,
            THEN,
        )
        assert request.reviewer is None
    for request in (cancelled, others, for_code):
        before = request.state
        request.refresh_from_db()
        assert request.state == before
    changes = LicenseRequest.history.filter(history_type="~")
    assert list(changes.values_list("history_user", flat=True)) == [admin.pk] * 2
    mails = OutboxMessage.objects.order_by("pk").values_list("payload", flat=True)
    assert [(mail["notice"], mail["request"]) for mail in mails] == [
        ("auto_declined", requested.pk),
        ("auto_declined", failed.pk),
    ]


def test_the_first_type_declines_nothing_and_tells_nobody(admin: User) -> None:
    configuration = ConfigurationFactory.create(subsidy_type=None)
    request = CouponCodeRequestFactory.create(customer=configuration.customer)

    change(configuration, by=admin, subsidy_type="license", notify=True)

    request.refresh_from_db()
    assert request.state == RequestState.REQUESTED
    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize("count", [1, 50])
def test_changes_the_type_in_a_fixed_number_of_statements(
    admin: User, statements: Statements, count: int
) -> None:
    configuration = ConfigurationFactory.create(coupons=True)
    CouponCodeRequestFactory.create_batch(count, customer=configuration.customer)

    with statements.counted() as texts:
        change(configuration, by=admin, subsidy_type="license", notify=True)

    assert len(texts) == 11
    assert CouponCodeRequest.objects.filter(state="declined").count() == count
    assert rows_without_true_history(CouponCodeRequest) == 0


def test_declines_more_than_are_read_at_once(admin: User) -> None:
    configuration = ConfigurationFactory.create()
    one = LicenseRequestFactory.create(customer=configuration.customer, failed=True)
    LicenseRequest.objects.bulk_create(
        LicenseRequestFactory.build(
            customer=one.customer, user=one.user, reviewer=None, **FAILED_BY_ITSELF
        )
        for _number in range(AT_ONCE)
    )

    change(configuration, by=admin, subsidy_type=SubsidyType.COUPON)

    assert LicenseRequest.objects.filter(state="declined").count() == AT_ONCE + 1
    assert LicenseRequest.history.filter(state="declined").count() == AT_ONCE + 1
