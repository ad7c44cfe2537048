"""Who may ask what about licenses, where no customer is asked about.

Whose customers, plans and licenses somebody sees is said by the models' QuerySets, and who may
change them by `licenses.selectors.access`.
"""

from typing import Any

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

LOOK_UP, RETIRE = "licenses.view_license", "accounts.retire_user"


class _Needs(IsAuthenticated):
    permission: str

    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and request.user.has_perm(self.permission)


class MayLookUp(_Needs):
    """Staff, and services, who see the licenses of every customer."""

    permission = LOOK_UP


class MayRetire(_Needs):
    """The service that retires people, and superusers."""

    permission = RETIRE
