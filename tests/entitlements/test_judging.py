import pytest
from django.db import connection

from entitlements.enums import EntitlementStatus
from entitlements.models import CourseEntitlement
from entitlements.selectors.judging import judge
from entitlements.sql import due_entitlements, subjects
from tests.entitlements.factories import DAY, INSTANT, SOLD, EntitlementFactory
from tests.entitlements.sessions import run_used

pytestmark = pytest.mark.django_db


def due(at: object) -> list[tuple[int, int | None, str]]:
    fragment = due_entitlements(subjects(CourseEntitlement.objects.all()), at=at)  # type: ignore[arg-type]  # an instant
    with connection.cursor() as cursor:
        cursor.execute(fragment.sql, fragment.params)
        return sorted(cursor.fetchall())


def test_one_in_use_ends_when_its_session_can_no_longer_be_changed() -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run_id = run_used(entitlement).pk

    (judged,) = judge([entitlement], at=SOLD + 15 * DAY - INSTANT)

    assert judged.decision.status == EntitlementStatus.REDEEMED
    assert judged.usage
    assert judged.usage.course_run_id == run_id
    assert due(SOLD + 15 * DAY - INSTANT) == []
    assert due(SOLD + 15 * DAY) == [(entitlement.pk, run_id, "regain")]


def test_an_unused_one_ends_after_its_period() -> None:
    entitlement = EntitlementFactory.create()

    assert due(SOLD + 730 * DAY) == []
    assert due(SOLD + 730 * DAY + INSTANT) == [(entitlement.pk, None, "period")]
