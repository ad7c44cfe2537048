"""Staff who act on entitlements for learners, and what is left of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementSupportDetail,
)
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import DAY, SOLD, by_at
from tests.entitlements.sessions import (
    AT,
)

LATE = SOLD + 800 * DAY
Action = Callable[..., CourseEntitlement]


def act(
    action: Action, entitlement: CourseEntitlement, *, at: datetime = AT, **fields: Any
) -> CourseEntitlement:
    by = by_at(at, actor=fields.pop("actor", None))
    wanted = {"comments": "Asked by mail.", **fields}
    return action(entitlement_uuid=entitlement.uuid, by=by, **wanted)


def heard(announced: Heard) -> list[Any]:
    return [signal for signal, _ in announced]


def assert_noted(entitlement: CourseEntitlement, *actions: str) -> None:
    details = entitlement.support_details.all()
    assert [detail.action for detail in details] == list(actions)
    assert {detail.comments for detail in details} <= {"Asked by mail."}
    for model in (CourseEntitlement, CourseEntitlementSupportDetail):
        assert rows_without_true_history(model) == 0


def assert_nothing_happened(entitlement: CourseEntitlement, announced: Heard) -> None:
    assert CourseEntitlement.history.filter(id=entitlement.pk).count() == 1
    assert not CourseEntitlementSupportDetail.objects.exists()
    assert not OutboxMessage.objects.exists()
    assert announced == []
