"""Program records as the learner record front end and the support tools read them."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.exceptions import NotAuthenticated, NotFound, PermissionDenied
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from credentials_portal.accounts.models import User
from credentials_portal.api.throttling import address_throttle
from credentials_portal.api.wire import WireError, WireView, is_storable
from programs.api import record_documentation as documentation
from programs.api.record_serializers import ListedRecordSerializer
from programs.selectors.checklist import credit_offers
from programs.selectors.record_words import ShownLearner, record_in_words
from programs.selectors.records import record_of, records_of_learner
from programs.selectors.sharing import shared_record, with_own_link
from programs.services.sharing import count_view

# Whoever may see all of these may see them together, as a learner's record.
VIEW = (
    "programs.view_coursegrade",
    "programs.view_coursecertificate",
    "programs.view_programcertificate",
)
HEX = "[0-9a-fA-F]"
WRITTEN_UUID = re.compile(f"{HEX}{{32}}|{HEX}{{8}}(?:-{HEX}{{4}}){{3}}-{HEX}{{12}}")
# Of addresses that nobody has signed in from: records, as JSON, as CSV and as a page, together.
SHARED_RECORD_SCOPE, SHARED_RECORD_RATE = "shared_record", "60/min"
NOT_TO_BE_FOUND = {"X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}


class RecordView(WireView):
    permission_classes: list[type[BasePermission]] = [IsAuthenticated]

    def named_learner(self) -> str:
        """Whose records staff ask for by `username`; "": the caller asks for their own.

        Raises `NotAuthenticated`, `PermissionDenied`.
        """
        username = self.request.query_params.get("username", "")
        if username and not self.user.is_authenticated:
            raise NotAuthenticated
        if username and not self.user.has_perms(VIEW):
            raise PermissionDenied
        return username


class ProgramRecordList(RecordView):
    @documentation.LIST
    def get(self, request: Request) -> Response:
        named = self.named_learner()
        learner = _known(_called(named)) if named else self.user
        listed = records_of_learner(user_id=learner.pk, at=timezone.now())
        return Response({"enrolled_programs": ListedRecordSerializer(listed, many=True).data})


class ProgramRecordDetail(RecordView):
    """A learner's record in a program, or, public, the one that a link shows to whoever has it."""

    @property
    def is_public(self) -> bool:
        return self.request.query_params.get("is_public", "").lower() == "true"

    def get_permissions(self) -> Sequence[Any]:
        return [AllowAny()] if self.is_public else super().get_permissions()

    def get_throttles(self) -> list[BaseThrottle]:
        if not self.is_public:
            return super().get_throttles()
        return [address_throttle(scope=SHARED_RECORD_SCOPE, rate=SHARED_RECORD_RATE)()]

    @documentation.RETRIEVE
    def get(self, request: Request, written_uuid: str) -> Response:
        named = self.named_learner()
        is_uuid = WRITTEN_UUID.fullmatch(written_uuid)
        uuid = UUID(written_uuid) if is_uuid else None
        record = self._shared(uuid) if self.is_public else self._of_program(uuid, named)
        return Response(
            {
                "record": record,
                "is_public": self.is_public,
                "uuid": written_uuid,
                "records_help_url": settings.RECORDS_HELP_URL,
            },
            headers=NOT_TO_BE_FOUND if self.is_public else None,
        )

    def _shared(self, uuid: UUID | None) -> dict[str, Any]:
        at = timezone.now()
        link = shared_record(uuid) if uuid else None
        if link is None or not link.is_live(at):
            raise WireError(None, HTTPStatus.NOT_FOUND, headers=NOT_TO_BE_FOUND)
        record = record_of(user_id=link.user_id, program_uuid=link.program.uuid, at=at)
        if self.request.method == "GET" and self.user.pk != link.user_id:
            count_view(shared_record_id=link.pk, at=at)
        # Its own, which the reader has already: another one would lead further than this one.
        return record_in_words(
            record, ShownLearner.behind(link), shared_uuid=link.uuid.hex, is_public=True
        )

    def _of_program(self, program_uuid: UUID | None, named: str) -> dict[str, Any]:
        if program_uuid is None:
            raise NotFound
        at = timezone.now()
        learners = _called(named) if named else User.objects.filter(pk=self.user.pk)
        learner: Any = _known(with_own_link(learners, program_uuid=program_uuid, at=at))
        record = record_of(user_id=learner.pk, program_uuid=program_uuid, at=at)
        return record_in_words(
            record,
            ShownLearner.in_full(learner),
            offers=credit_offers(program_id=record.program.pk, user_id=learner.pk),
            shared_uuid=learner.own_link_uuid and learner.own_link_uuid.hex,
        )


def _called(username: str) -> QuerySet[User]:
    everybody: QuerySet[User] = User.objects.all()
    return everybody.filter(username=username) if is_storable(username) else everybody.none()


def _known(learners: QuerySet[User]) -> User:
    """The learner; who is not there is answered without a word. Raises `WireError`."""
    learner = learners.first()
    if learner is None:
        raise WireError(None, HTTPStatus.NOT_FOUND)
    return learner
