"""Which entitlements a list is asked for."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from credentials_portal.accounts.models import User
from credentials_portal.api.strict import WrittenInteger
from credentials_portal.api.wire import AnyText, Truth, WireQuery
from entitlements.api.fields import WrittenUuids
from entitlements.models import CourseEntitlement
from entitlements.selectors.access import sees_all
from entitlements.selectors.endings import having_ended


class EntitlementQuery(WireQuery):
    user = AnyText(
        required=False,
        help_text="Of the learner with this username. For staff and services: empty means"
        " everybody's; without it they get their own.",
    )
    uuid = WrittenUuids(required=False, help_text="These, separated by commas.")
    course_uuid = WrittenUuids(
        required=False, help_text="For one of these courses, separated by commas."
    )
    expired_at__isnull = Truth(
        required=False, help_text="`True`: only those that have not ended; `False`: that have."
    )
    page_size = WrittenInteger(
        required=False,
        min_value=1,
        max_value=999_999_999,
        help_text="How many to a page: 50 by default, 100 at most.",
    )


def filter_entitlements(
    entitlements: "QuerySet[CourseEntitlement]",
    query: dict[str, Any],
    *,
    caller: User,
    at: datetime,
) -> "QuerySet[CourseEntitlement]":
    """Those that fulfil all of a valid `EntitlementQuery`, and that the caller may see."""
    entitlements = _of_user(entitlements, query.get("user"), caller)
    for name in ("uuid", "course_uuid"):
        if query.get(name):
            entitlements = entitlements.filter(**{f"{name}__in": query[name]})
    if "expired_at__isnull" in query:
        entitlements = having_ended(entitlements, has_ended=not query["expired_at__isnull"], at=at)
    return entitlements.order_by("pk")


def _of_user(
    entitlements: "QuerySet[CourseEntitlement]", username: str | None, caller: User
) -> "QuerySet[CourseEntitlement]":
    if username and (username == caller.username or sees_all(caller)):
        return entitlements.filter(user__username=username)
    if username:
        return entitlements.none()
    if username == "" and sees_all(caller):
        return entitlements
    return entitlements.filter(user=caller)
