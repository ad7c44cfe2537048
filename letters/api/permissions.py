"""Who may ask what about letters.

Which letters somebody gets to see is `ProgramLetterQuerySet.visible_to`'s to say.
"""

from typing import Any

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

VIEW, REVOKE, REINSTATE = (
    f"letters.{codename}"
    for codename in ("view_programletter", "revoke_letter", "reinstate_letter")
)


class MayRead(IsAuthenticated):
    """People; services with the permission, since they have no letters of their own."""

    message = f"A service needs the permission {VIEW}."

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        return request.auth is None or request.user.has_perm(VIEW)


class _MayDecide(IsAuthenticated):
    """Whoever sees all letters and has one permission more."""

    permission: str

    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and request.user.has_perms(
            (VIEW, self.permission)
        )


class MayRevoke(_MayDecide):
    permission = REVOKE
    message = f"This needs the permissions {VIEW} and {REVOKE}."


class MayReinstate(_MayDecide):
    permission = REINSTATE
    message = f"This needs the permissions {VIEW} and {REINSTATE}."
