"""What the old credentials service's resources under `/api/v2/` have in common."""

from collections.abc import Sequence
from typing import Any

from django.http import QueryDict
from rest_framework.throttling import BaseThrottle

from credentials_portal.api.throttling import PersonThrottle
from credentials_portal.api.wire import WireView
from programs.enums import CertificateSource


class FromTheLms(WireView):
    # Django REST Framework's own answer to OPTIONS asks for objects in a way of its own.
    metadata_class = None


class CredentialsView(FromTheLms):
    """People may ask as often as `rate` says; staff and services as often as they like."""

    throttle_scope: str
    rate: str

    def get_throttles(self) -> Sequence[BaseThrottle]:  # type: ignore[override]  # DRF's is a list
        if self.request.auth or self.user.is_staff or self.user.is_superuser:
            return []
        return [PersonThrottle(scope=self.throttle_scope, rate=self.rate)]

    @property
    def source(self) -> CertificateSource:
        """Who says so: a service speaks for the LMS, a person for the staff."""
        return CertificateSource.LMS if self.request.auth else CertificateSource.STAFF

    def plain_body(self) -> Any:
        """The body, of a form too, in which a field that is left out is not an empty one."""
        body: Any = self.request.data
        return body.dict() if isinstance(body, QueryDict) else body
