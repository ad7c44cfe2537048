"""How often somebody may ask, counted in the shared cache.

The client's address comes from as many trusted proxies as TRUSTED_PROXY_COUNT says
(REST_FRAMEWORK's NUM_PROXIES); what a client writes into X-Forwarded-For itself is ignored.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from rest_framework.exceptions import Throttled
from rest_framework.throttling import AnonRateThrottle

View = Callable[..., HttpResponseBase]


class AddressThrottle(AnonRateThrottle):
    """Anonymous callers, by address."""

    scope = "address"


def client_address(request: HttpRequest) -> str:
    return AddressThrottle().get_ident(request)  # type: ignore[arg-type]  # reads META only


def limit_page(*, scope: str, rate: str) -> Callable[[View], View]:
    """A page that each anonymous address may ask for at `rate` ("60/min"), else `Throttled`."""
    throttle_class = type("PageThrottle", (AddressThrottle,), {"scope": scope, "rate": rate})

    def decorate(page: View) -> View:
        @wraps(page)
        def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            throttle = throttle_class()
            if not throttle.allow_request(request, page):
                raise Throttled(throttle.wait())
            return page(request, *args, **kwargs)

        return limited

    return decorate
