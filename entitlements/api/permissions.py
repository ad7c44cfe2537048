"""Who may act on others' entitlements; whose one sees is said by `entitlements.selectors.access`."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request

from entitlements.selectors.access import SUPPORT


class MaySupport(IsAuthenticated):
    """The old service's staff and support: staff and services with the permission."""

    message = f"This needs the permission {SUPPORT}."

    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and request.user.has_perm(SUPPORT)


class MayReadOrSupport(IsAuthenticated):
    """Everybody may read what they may see."""

    message = MaySupport.message

    def has_permission(self, request: Request, view: Any) -> bool:
        may_read = super().has_permission(request, view) and request.method in SAFE_METHODS
        return may_read or MaySupport().has_permission(request, view)
