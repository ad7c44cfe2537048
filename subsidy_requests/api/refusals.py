"""What services refuse, in the old service's words."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from rest_framework.response import Response

from credentials_portal.api import wire
from credentials_portal.api.wire import WireError, busy
from credentials_portal.core.errors import DomainError
from licenses.services import NotEnoughSeatsError, PlanBusyError
from subsidy_requests.api import texts
from subsidy_requests.api.kinds import Kind
from subsidy_requests.api.permissions import no_member
from subsidy_requests.enums import WIRE_STATES, RequestState
from subsidy_requests.services.asking import NotLinkedError, OutstandingRequestError
from subsidy_requests.services.coupons import NotEnoughCodesError
from subsidy_requests.services.gate import (
    NoSubsidyTypeError,
    RequestsDisabledError,
    RequestsNotConfiguredError,
    WrongSubsidyTypeError,
)
from subsidy_requests.services.transitions import IllegalTransitionError

# The old service names both, whichever of them it found.
GRANTED = {WIRE_STATES[RequestState.APPROVED], WIRE_STATES[RequestState.FULFILLED]}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to `error`; None lets it become a 500."""
    if isinstance(error, PlanBusyError):
        return busy(error.message)
    return wire.exception_handler(error, context)


class RefusingView(wire.WireView):
    # The old service knew neither OPTIONS nor HEAD.
    http_method_names = ["get", "post", "patch"]

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return exception_handler


@contextmanager
def told_as_text(kind: Kind, wanted: Mapping[str, Any]) -> Iterator[None]:
    """Answer what services refuse with a text alone, 422. `wanted` is the valid body."""
    try:
        yield
    except NotLinkedError as error:
        raise no_member() from error
    except PlanBusyError:
        raise
    except DomainError as error:
        text = _gate_text(error, wanted) or _text(error, kind, wanted) or error.message
        raise WireError(text, HTTPStatus.UNPROCESSABLE_ENTITY) from error


def no_configuration(wanted: Mapping[str, Any]) -> WireError:
    text = texts.NO_CONFIGURATION.format(wanted["enterprise_customer_uuid"])
    return WireError(text, HTTPStatus.UNPROCESSABLE_ENTITY)


def _gate_text(error: DomainError, wanted: Mapping[str, Any]) -> str:
    customer_uuid = wanted["enterprise_customer_uuid"]
    match error:
        case RequestsNotConfiguredError():
            return texts.NO_CONFIGURATION.format(customer_uuid)
        case RequestsDisabledError():
            return texts.DISABLED.format(customer_uuid)
        case NoSubsidyTypeError():
            return texts.NO_TYPE.format(customer_uuid)
        case WrongSubsidyTypeError():
            return texts.WRONG_TYPE.format(error.offered.value)
    return ""


def _text(error: DomainError, kind: Kind, wanted: Mapping[str, Any]) -> str:
    match error:
        case OutstandingRequestError():
            return kind.outstanding.format(
                customer=wanted["enterprise_customer_uuid"], course=wanted["course_id"]
            )
        case NotEnoughSeatsError() | NotEnoughCodesError():
            return kind.not_enough.format(pool=wanted[kind.pool])
        case IllegalTransitionError():
            return _wrong_state(error, kind)
    return ""


def _wrong_state(error: IllegalTransitionError, kind: Kind) -> str:
    states = {one.wire_state for one in error.requests}
    if states & GRANTED:
        states |= GRANTED
    return texts.WRONG_STATE.format(
        kind=kind.subsidy_type.value,
        uuids=",".join(str(one.uuid) for one in error.requests),
        states="/".join(sorted(states)),
        decided=error.state.value,
    )
