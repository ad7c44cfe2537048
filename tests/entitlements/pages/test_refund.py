"""Asking for a refund. How it stands afterwards: test_entitlement.py."""

import pytest

from entitlements.models import CourseEntitlementRefund
from tests.entitlements.factories import DAY
from tests.entitlements.pages.now import NOW, bought, course, learner, page_of, run_of, used
from tests.licenses.pages.now import day, signed_in, words

pytestmark = pytest.mark.django_db


def test_tells_what_follows_before_anything_is_asked() -> None:
    ada = learner()
    entitlement = used(ada, run_of(course()))

    told = words(signed_in(ada).get(f"{page_of(entitlement)}refund/"))

    assert f"Possible until {day(NOW + 45 * DAY)}" in told
    assert "you leave the session" in told
    assert "This cannot be undone." in told
    assert not CourseEntitlementRefund.objects.exists()


def test_is_accepted_at_once_where_staff_pay_by_hand() -> None:
    ada = learner()
    entitlement = used(ada, run_of(course()))

    response = signed_in(ada).post(f"{page_of(entitlement)}refund/", follow=True)

    assert response.redirect_chain == [(page_of(entitlement), 302)]
    assert "The refund was accepted." in words(response)
    assert f"refunded on {day(NOW)}" in words(response)
    entitlement.refresh_from_db()
    assert entitlement.expired_reason == "refund"
    assert entitlement.enrollment_course_run is None


def test_is_asked_for_once() -> None:
    ada = learner()
    entitlement = bought(ada, course())
    client = signed_in(ada)
    client.post(f"{page_of(entitlement)}refund/")

    response = client.post(f"{page_of(entitlement)}refund/", follow=True)

    assert "It cannot be refunded any more. Nothing was changed." in words(response)
    assert CourseEntitlementRefund.objects.count() == 1


@pytest.mark.parametrize("fields", [{"ago": 61 * DAY}, {"order_number": None}])
def test_what_cannot_be_refunded_leads_back_and_asks_nobody(fields: dict[str, object]) -> None:
    ada = learner()
    entitlement = bought(ada, course(), **fields)  # type: ignore[arg-type]  # of the factory
    client = signed_in(ada)

    asked = client.get(f"{page_of(entitlement)}refund/", follow=True)
    response = client.post(f"{page_of(entitlement)}refund/", follow=True)

    assert "It cannot be refunded now. Nothing was changed." in words(asked)
    assert "It cannot be refunded any more. Nothing was changed." in words(response)
    assert not CourseEntitlementRefund.objects.exists()
