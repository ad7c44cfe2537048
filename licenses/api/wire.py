"""What the frozen resources under `/api/v1/`, the old license-manager's, have in common."""

from collections.abc import Callable
from typing import Any

from rest_framework.response import Response

from credentials_portal.api import wire
from credentials_portal.api.wire import WireError, busy
from licenses.services import PlanBusyError

__all__ = ["WireError", "WireView"]


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to `error`; None lets it become a 500."""
    if isinstance(error, PlanBusyError):
        return busy(error.message)
    return wire.exception_handler(error, context)


class WireView(wire.WireView):
    def get_exception_handler(self) -> Callable[..., Response | None]:
        return exception_handler
