"""Learners' certificates, as the LMS asks for them and tells of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.accounts.services import AccountRetiredError, NamedPerson
from credentials_portal.api.wire import WireError
from programs.api.v2 import documentation
from programs.api.v2.fields import NO_CERTIFICATE, NO_PROGRAM, NOT_IN_CATALOG, NamedProgram, uuid_in
from programs.api.v2.pagination import CertificatePagination
from programs.api.v2.permissions import ADD, CHANGE, VIEW, needs
from programs.api.v2.serializers import (
    CertificateQuery,
    CertificateSerializer,
    StatusSerializer,
    ToldCertificateSerializer,
)
from programs.api.v2.views import CredentialsView
from programs.enums import CertificateStatus
from programs.selectors.certificates import Asked, certificate_by_uuid
from programs.services.configurations import NotConfiguredError
from programs.services.telling import (
    CertificateNotFoundError,
    Details,
    RunUnknownError,
    Told,
    change_certificate,
    tell_course_certificate,
    tell_program_certificate,
)

KINDS = ("program", "course-run")


class Credentials(CredentialsView):
    throttle_scope, rate = "credentials", "15/min"
    paginator: CertificatePagination

    def told_again(self, certificate_uuid: UUID) -> Any:
        """The certificate as it stands now."""
        return CertificateSerializer(certificate_by_uuid(certificate_uuid)).data

    def sees_all(self) -> bool:
        return self.user.has_perms(VIEW)


class CredentialList(Credentials):
    permission_classes = [needs(POST=ADD)]
    serializer_class = ToldCertificateSerializer
    pagination_class = CertificatePagination

    @documentation.LIST
    def get(self, request: Request) -> Response:
        query = CertificateQuery.of(request.query_params)
        asked = Asked(
            **self._whose(query.get("username")),
            status=query.get("status"),
            type=query["type"] if query.get("type") in KINDS else None,
            program_uuid=uuid_in(query.get("program_uuid")),
            visible_at=timezone.now() if query.get("only_visible") else None,
        )
        if "program_uuid" in query and asked.program_uuid is None:
            asked = Asked.for_nothing()
        found = self.paginator.paginate_asked(asked, request)
        return self.get_paginated_response(CertificateSerializer(found, many=True).data)

    def _whose(self, username: str | None) -> dict[str, Any]:
        """Everybody sees their own by their username, in any case. Raises `PermissionDenied`."""
        own = self.user.get_username()
        if username == own:
            return {"user_id": self.user.pk}
        if self.sees_all():
            return {"username": username}
        if username is None or username.lower() != own.lower():
            raise PermissionDenied
        return {"user_id": self.user.pk}

    @documentation.CREATE
    def post(self, request: Request) -> Response:
        wanted = self.wanted()
        with refused_as_it_was(wanted["credential"]):
            certificate_uuid = self._tell(wanted)
        return Response(self.told_again(certificate_uuid), status=HTTPStatus.CREATED)

    def _tell(self, wanted: dict[str, Any]) -> UUID:
        learner = NamedPerson(wanted["username"], wanted.get("lms_user_id"))
        status, by = CertificateStatus(wanted["status"]), self.attribution("tell_certificate")
        named = wanted["credential"]
        if isinstance(named, NamedProgram):
            if named.uuid is None:
                raise NotConfiguredError
            return tell_program_certificate(
                learner=learner,
                program_uuid=named.uuid,
                told=Told(status=status, source=self.source),
                by=by,
                details=_details(wanted, "attributes"),
            )
        return tell_course_certificate(
            learner=learner,
            course_run_key=named.key,
            told=Told(status=status, source=self.source, mode=named.mode),
            by=by,
            details=_details(wanted, "attributes", "date_override"),
        )


class CredentialDetail(Credentials):
    permission_classes = [needs(PUT=CHANGE, PATCH=CHANGE, DELETE=CHANGE)]
    serializer_class = StatusSerializer

    @documentation.RETRIEVE
    def get(self, request: Request, certificate_uuid: str) -> Response:
        certificate = certificate_by_uuid(UUID(certificate_uuid))
        is_own = certificate is not None and certificate.user_id == self.user.pk
        if certificate is None or not (is_own or self.sees_all()):
            raise NotFound
        return Response(CertificateSerializer(certificate).data)

    @documentation.REPLACE
    def put(self, request: Request, certificate_uuid: str) -> Response:
        return self._change(UUID(certificate_uuid), self.wanted().get("status"))

    @documentation.CHANGE
    def patch(self, request: Request, certificate_uuid: str) -> Response:
        return self._change(UUID(certificate_uuid), self.wanted().get("status"))

    @documentation.REVOKE
    def delete(self, request: Request, certificate_uuid: str) -> Response:
        return self._change(UUID(certificate_uuid), CertificateStatus.REVOKED)

    def _change(self, certificate_uuid: UUID, status: str | None) -> Response:
        if status:
            told = Told(status=CertificateStatus(status), source=self.source)
            by = self.attribution("change_certificate")
            try:
                change_certificate(certificate_uuid=certificate_uuid, told=told, by=by)
            except CertificateNotFoundError:
                raise NotFound from None
            except AccountRetiredError as error:
                raise bad_request({"username": [error.message]}) from None
        certificate = certificate_by_uuid(certificate_uuid)
        if certificate is None:
            raise NotFound
        return Response(CertificateSerializer(certificate).data)


@contextmanager
def refused_as_it_was(named: Any) -> Iterator[None]:
    """A refusal in the old service's words. Raises `WireError`."""
    is_program = isinstance(named, NamedProgram)
    try:
        yield
    except RunUnknownError:
        text = NOT_IN_CATALOG.format(named.key)
        raise bad_request({"credential": {"course_run_key": text}}) from None
    except NotConfiguredError:
        refusal = (
            {"program_uuid": NO_PROGRAM.format(named.written)}
            if is_program
            else {"course_run_key": NO_CERTIFICATE.format(named.key)}
        )
        raise bad_request({"credential": refusal}) from None
    except AccountRetiredError as error:
        raise bad_request({"username": [error.message]}) from None


def bad_request(answer: dict[str, Any]) -> WireError:
    return WireError(answer, HTTPStatus.BAD_REQUEST)


def _details(wanted: dict[str, Any], *names: str) -> Details:
    """What was told of these; an override of null is none."""
    told = Details()
    if "attributes" in names and "attributes" in wanted:
        told["attributes"] = [dict(attribute) for attribute in wanted["attributes"]]
    if "date_override" in names and "date_override" in wanted:
        override = wanted["date_override"]
        told["date_override"] = override["date"] if override else None
    return told
