"""Who may see and tell what of certificates and grades."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

VIEW = ("programs.view_coursecertificate", "programs.view_programcertificate")
ADD = ("programs.add_coursecertificate", "programs.add_programcertificate")
CHANGE = ("programs.change_coursecertificate", "programs.change_programcertificate")


def needs(**permissions: str | Sequence[str]) -> type[IsAuthenticated]:
    """A permission class: what each method needs, in capitals; others need an account only."""

    class Needs(IsAuthenticated):
        def has_permission(self, request: Request, view: Any) -> bool:
            needed = permissions.get(request.method or "", ())
            names = (needed,) if isinstance(needed, str) else needed
            return super().has_permission(request, view) and request.user.has_perms(names)

    return Needs


class IsReplacementWorker(IsAuthenticated):
    """The account that tells of changed usernames; where none is set, nobody."""

    def has_permission(self, request: Request, view: Any) -> bool:
        worker = settings.USERNAME_REPLACEMENT_WORKER
        is_worker = bool(worker) and request.user.get_username() == worker
        return super().has_permission(request, view) and is_worker
