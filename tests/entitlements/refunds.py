"""An entitlement whose learner asks an order service for a refund, and what came of it.

from tests.entitlements.refunds import entitlement_in_use  # noqa: F401 - a fixture
"""

from datetime import timedelta

import pytest

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from credentials_portal.devlms import StandInLms
from credentials_portal.devlms.enrollments import Enrolled
from credentials_portal.devorders import StandInOrders
from entitlements.models import CourseEntitlement, CourseEntitlementRefund
from tests.entitlements.factories import EntitlementFactory
from tests.entitlements.sessions import run_of, stored

HOUR = timedelta(hours=1)


@pytest.fixture(name="redeemed")
def entitlement_in_use(lms: StandInLms) -> CourseEntitlement:
    """In use since it was sold, ten days ago; its learner is known to the LMS."""
    entitlement = EntitlementFactory.create(redeemed=True, order_number="EDX-1")
    run = run_of(entitlement)
    assert run
    lms.enrollments[entitlement.user.username, run.key] = Enrolled("verified", is_active=True)
    return entitlement


def asked(orders: StandInOrders) -> int:
    return len(orders.calls_to("/refunds/", method="POST"))


def assert_nothing_changed(entitlement: CourseEntitlement) -> None:
    assert CourseEntitlement.history.filter(id=entitlement.pk).count() == 1
    assert not OutboxMessage.objects.filter(kind="entitlements.unenroll").exists()


def assert_ended_by_refund(entitlement: CourseEntitlement) -> None:
    ended = stored(entitlement)
    assert (ended.expired_reason, ended.enrollment_course_run) == ("refund", None)
    for model in (CourseEntitlement, CourseEntitlementRefund):
        assert rows_without_true_history(model) == 0
