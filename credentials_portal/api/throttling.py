"""How often somebody may ask, counted in the shared cache.

The client's address comes from as many trusted proxies as TRUSTED_PROXY_COUNT says
(REST_FRAMEWORK's NUM_PROXIES); what a client writes into X-Forwarded-For itself is ignored.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from rest_framework.exceptions import Throttled
from rest_framework.permissions import SAFE_METHODS
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle

View = Callable[..., HttpResponseBase]


class AddressThrottle(AnonRateThrottle):
    """Anonymous callers, by address."""

    scope = "address"


class TokenThrottle(SimpleRateThrottle):
    """Whoever asks for an access token, signed in or not, by address."""

    scope = "access_token"
    rate = "60/min"

    def get_cache_key(self, request: Any, _view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


class PersonThrottle(SimpleRateThrottle):
    """One person, signed in or with a token, whatever their role; each scope counts apart."""

    def __init__(self, *, scope: str, rate: str) -> None:
        self.scope = scope
        self.rate = rate
        super().__init__()

    def get_cache_key(self, request: Any, _view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}


def client_address(request: HttpRequest) -> str:
    return AddressThrottle().get_ident(request)  # type: ignore[arg-type]  # reads META only


def address_throttle(*, scope: str, rate: str) -> type[AddressThrottle]:
    """A throttle of anonymous addresses; those with the same `scope` count together."""
    return type("ScopedThrottle", (AddressThrottle,), {"scope": scope, "rate": rate})


def limit_page(*, scope: str, rate: str) -> Callable[[View], View]:
    """A page that each anonymous address may ask for at `rate` ("60/min"), else `Throttled`."""
    throttle_class = address_throttle(scope=scope, rate=rate)

    def decorate(page: View) -> View:
        @wraps(page)
        def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            throttle = throttle_class()
            if not throttle.allow_request(request, page):  # type: ignore[arg-type]  # reads META and user only
                raise Throttled(throttle.wait())
            return page(request, *args, **kwargs)

        return limited

    return decorate


def count_person(request: Any, *, scope: str, rate_setting: str = "RECORDS_RATE_LIMIT") -> None:
    """Count what the request's user does, at most as often as the setting says ("15/min").

    Raises `Throttled`. For views that find out themselves who asks; pages use `limit_person`.
    """
    throttle = PersonThrottle(scope=scope, rate=getattr(settings, rate_setting))
    if not throttle.allow_request(request, None):  # type: ignore[arg-type]  # reads the user only
        raise Throttled(throttle.wait())


def limit_person(*, scope: str, rate_setting: str = "RECORDS_RATE_LIMIT") -> Callable[[View], View]:
    """A page to which each person may post at the setting's rate, else `Throttled`.

    To look at it counts for nothing. The same `scope` counts together, in pages and API alike.
    """

    def decorate(page: View) -> View:
        @wraps(page)
        def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method not in SAFE_METHODS and request.user.is_authenticated:
                count_person(request, scope=scope, rate_setting=rate_setting)
            return page(request, *args, **kwargs)

        return limited

    return decorate
