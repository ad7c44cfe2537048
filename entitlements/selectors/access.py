"""Whose entitlements somebody sees, and who acts on those of others."""

from typing import Any

from django.db.models import QuerySet

from entitlements.models import CourseEntitlement

VIEW, SUPPORT = "entitlements.view_courseentitlement", "entitlements.support_entitlements"


def sees_all(user: Any) -> bool:
    return any(user.has_perm(permission) for permission in (VIEW, SUPPORT))


def visible_to(user: Any) -> "QuerySet[CourseEntitlement]":
    """Everybody's own; all, for staff and services that may see or support them."""
    entitlements = CourseEntitlement.objects.all()
    return entitlements if sees_all(user) else entitlements.filter(user=user)
