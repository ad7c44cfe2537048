"""Customers, and the plans that they buy."""

import pytest

from credentials_portal.core.history import rows_without_true_history
from licenses.models import Customer, CustomerAgreement, License, SubscriptionPlan
from licenses.services import (
    CustomerExistsError,
    TooManySeatsError,
    open_customer,
    open_plan,
    seats,
)
from tests.licenses.factories import BY, ENDS, STARTS, AgreementFactory, statuses

pytestmark = pytest.mark.django_db


def test_opens_a_customer_under_an_agreement() -> None:
    agreement = open_customer(slug="acme", name="Acme Ltd", by=BY)

    assert list(Customer.objects.values_list("slug", "name")) == [("acme", "Acme Ltd")]
    assert agreement == CustomerAgreement.objects.get(customer__slug="acme")
    assert agreement.unlink_expired_enabled is False
    for model in (Customer, CustomerAgreement):
        assert rows_without_true_history(model) == 0
        told = model.history.get()
        assert (told.history_change_reason, told.cause) == (BY.reason, BY.cause)


def test_a_customer_may_want_its_learners_unlinked() -> None:
    agreement = open_customer(slug="acme", name="Acme Ltd", unlink_after_days=30, by=BY)

    assert (agreement.unlink_expired_enabled, agreement.unlink_after_days) == (True, 30)


def test_refuses_a_second_customer_of_a_slug() -> None:
    open_customer(slug="acme", name="Acme Ltd", by=BY)

    with pytest.raises(CustomerExistsError):
        open_customer(slug="acme", name="Another", by=BY)

    assert [customer.name for customer in Customer.objects.all()] == ["Acme Ltd"]
    assert Customer.history.count() == 1


def test_opens_a_plan_with_free_seats() -> None:
    agreement = AgreementFactory.create()

    plan = open_plan(agreement=agreement, title="Gold", starts=STARTS, ends=ENDS, seats=3, by=BY)

    assert (plan.customer_agreement, plan.title, plan.is_active) == (agreement, "Gold", True)
    assert (plan.start_date, plan.expiration_date) == (STARTS, ENDS)
    assert statuses(plan) == {"unassigned": 3}
    for model in (SubscriptionPlan, License):
        assert rows_without_true_history(model) == 0


def test_opens_no_plan_with_more_seats_than_one_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "MAX_LICENSES", 2)
    agreement = AgreementFactory.create()

    with pytest.raises(TooManySeatsError):
        open_plan(agreement=agreement, title="Gold", starts=STARTS, ends=ENDS, seats=3, by=BY)

    assert not SubscriptionPlan.objects.exists()
    assert not SubscriptionPlan.history.exists()
