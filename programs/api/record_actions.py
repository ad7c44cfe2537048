"""A record is shared and sent: two paths that never had a slash at their end."""

import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import Throttled, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import DateTimeField

from credentials_portal.accounts.models import User
from credentials_portal.api.errors import status_of
from credentials_portal.api.strict import JSONBody
from credentials_portal.api.throttling import count_person
from credentials_portal.api.wire import WireError, WireView
from credentials_portal.api.wire import exception_handler as wire_exception_handler
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from programs.api import record_documentation as documentation
from programs.api.record_serializers import SendSerializer, ShareSerializer
from programs.enums import CreditRequestSource
from programs.models import Pathway, Program
from programs.selectors.consent import consent_words
from programs.selectors.sharing import record_link
from programs.services.credit import TooManyRequestsError, request_credit
from programs.services.sharing import share_record

FOR_LEARNER = "programs.request_credit_for_learner"
TOO_MANY = "Too Many Requests"
HEX = re.compile("[0-9a-f]{32}")
SECOND = timedelta(seconds=1)
# The support tools ask for no reason.
REASON_OF_STAFF = "Asked through the API."


class AnyTypeOfJSON(JSONBody):
    """JSON, whatever its sender calls it."""

    media_type = "*/*"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """`{"error": text}`, as these paths always answered."""
    match error:
        case WireError():
            return wire_exception_handler(error, context)
        case Throttled():
            return _too_many(error.wait or 0)  # type: ignore[attr-defined]  # missing in stubs
        case TooManyRequestsError():
            wait = error.retry_after.total_seconds()
            return _too_many(wait, code=error.code, next_allowed_at=_told(error.next_allowed_at))
        case DomainError():
            return Response({"error": error.message, "code": error.code}, status=status_of(error))
        case ValidationError():
            told = {"error": "Some values are not valid.", "fields": error.detail}
            return Response(told, status=error.status_code)
    response = wire_exception_handler(error, context)
    if response is not None:
        response.data = {"error": str(response.data["detail"])}
    return response


def _too_many(wait_seconds: float, **facts: Any) -> Response:
    return Response(
        {"error": TOO_MANY, **facts},
        status=HTTPStatus.TOO_MANY_REQUESTS,
        headers={"Retry-After": str(max(1, math.ceil(wait_seconds)))},
    )


def _unknown_program() -> WireError:
    return WireError({"error": "There is no such program."}, HTTPStatus.NOT_FOUND)


def _told(at: datetime) -> str:
    """In whole seconds, and not a moment too early."""
    whole = at if not at.microsecond else at.replace(microsecond=0) + SECOND
    return str(DateTimeField().to_representation(whole))


class RecordAction(WireView):
    """Something that a learner does with a record, or staff for one.

    Who is not signed in is led there, as a page would: clients know this answer.
    """

    permission_classes = [AllowAny]
    parser_classes = [AnyTypeOfJSON]
    scope: ClassVar[str]

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return exception_handler

    def post(self, request: Request, program_hex: str) -> HttpResponseBase:
        if not HEX.fullmatch(program_hex):
            raise _unknown_program()
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        count_person(request, scope=self.scope)
        wanted = self.wanted()
        learner = self._learner(wanted["username"])
        program = Program.objects.filter(uuid=UUID(program_hex)).first()
        if program is None:
            raise _unknown_program()
        return self.act(learner, program, wanted)

    def act(self, learner: User, program: Program, wanted: dict[str, Any]) -> Response:
        # There is no action in general: each path takes its own.
        raise NotImplementedError

    def _learner(self, username: str) -> User:
        if username == self.user.username:
            return self.user
        if not self.user.has_perm(FOR_LEARNER):
            raise WireError({"error": "Permission denied"}, HTTPStatus.FORBIDDEN)
        learner: User | None = User.objects.filter(username=username).first()
        if learner is None:
            raise WireError({"error": "User does not exist"}, HTTPStatus.NOT_FOUND)
        return learner


@documentation.SHARE
class ShareRecord(RecordAction):
    serializer_class = ShareSerializer
    scope = "share"

    def act(self, learner: User, program: Program, wanted: dict[str, Any]) -> Response:
        by = self.attribution("share_record")
        shared = share_record(user=learner, program=program, by=by)
        status = HTTPStatus.CREATED if shared.is_new else HTTPStatus.OK
        return Response({"url": record_link(shared.link)}, status=status)


@documentation.SEND
class SendRecord(RecordAction):
    serializer_class = SendSerializer
    scope = "send"

    def act(self, learner: User, program: Program, wanted: dict[str, Any]) -> Response:
        """The learner's own word is a consent; staff say why they speak for them."""
        pathway_id = wanted["pathway_id"]
        is_own = learner == self.user
        reason = "" if is_own else wanted.get("reason", REASON_OF_STAFF)
        pathway = Pathway.objects.filter(pk=pathway_id).first() if is_own else None
        request_credit(
            user=learner,
            program=program,
            pathway_id=pathway_id,
            source=CreditRequestSource.API if is_own else CreditRequestSource.STAFF,
            by=Attribution(
                at=timezone.now(), actor=self.user, reason=reason, cause="api:send_record"
            ),
            consent_text=consent_words(pathway) if pathway else "",
            on_behalf_reason=reason,
        )
        return Response(status=HTTPStatus.OK)
