"""The letters' resources for services, staff and, of their own letters, learners."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.db import transaction
from django.http import HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from credentials_portal.api.strict import JSONBody
from credentials_portal.api.throttling import address_throttle
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from letters import selectors, services
from letters.api import documentation
from letters.api.filters import LetterQuery, filter_letters
from letters.api.permissions import MayRead, MayReinstate, MayRevoke
from letters.api.serializers import (
    DecisionSerializer,
    LetterDetailSerializer,
    LetterSerializer,
    RevocationSerializer,
)
from letters.enums import LetterState
from letters.models import ProgramLetter, ProgramLetterQuerySet
from letters.services import LetterChangedError

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


@method_decorator(never_cache, name="dispatch")
class LettersView(GenericAPIView[ProgramLetter]):
    """Answers about the letters that the caller may see; others are not found."""

    permission_classes = [MayRead]
    serializer_class: type[Serializer[Any]] = LetterSerializer
    lookup_field = "uuid"
    lookup_url_kwarg = "letter_uuid"
    filter_backends = []

    def get_queryset(self) -> ProgramLetterQuerySet:
        letters = ProgramLetter.objects.visible_to(self.request.user).with_visibility()
        return letters.select_related("program", "user").defer("evidence")


@documentation.LIST
class LetterList(LettersView, ListAPIView[ProgramLetter]):
    def filter_queryset(self, queryset: Any) -> Any:
        return filter_letters(queryset, LetterQuery.of(self.request.query_params))


class LetterDetail(LettersView):
    serializer_class = LetterDetailSerializer

    def get_queryset(self) -> ProgramLetterQuerySet:
        return super().get_queryset().prefetch_related("events__actor", "events__run")

    @documentation.RETRIEVE
    def get(self, request: Request, letter_uuid: UUID) -> Response:
        letter = self.get_object()
        judgement = selectors.judge_letter(letter, at=timezone.now())
        context = {**self.get_serializer_context(), "judgement": judgement}
        return Response(LetterDetailSerializer(letter, context=context).data)


@method_decorator(never_cache, name="dispatch")
class LetterVerification(APIView):
    """A stranger's check: the facts of the verification page, and its limit."""

    permission_classes = [AllowAny]
    throttle_classes = [address_throttle(scope="verify_letter", rate="60/min")]

    @documentation.VERIFY
    def get(self, request: Request, letter_uuid: str) -> HttpResponseBase:
        verification = _verification_of(letter_uuid)
        facts = verification.as_json() if verification else {"status": "not_found"}
        return JsonResponse(
            facts,
            status=200 if verification else 404,
            headers={"X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"},
        )


class LetterDecision(LettersView):
    """What a person decides about a letter; `act` returns whether that changed it."""

    parser_classes = [JSONBody]
    act: Callable[..., bool]
    becomes: LetterState
    cause: str

    def decide(self, request: Request, letter_uuid: UUID) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = dict(serializer.validated_data)
        by = Attribution(
            at=timezone.now(),
            actor=cast("User", request.user),
            reason=wanted.pop("reason"),
            cause=self.cause,
        )
        letter = self.get_object()
        changed = self._decide(letter.uuid, wanted.pop("version", None), by=by, **wanted)
        told = LetterSerializer(self.get_object(), context=self.get_serializer_context()).data
        return Response({"changed": changed, "letter": told})

    @retry_conflicts
    @transaction.atomic
    def _decide(self, letter_uuid: UUID, seen_version: int | None, **wanted: Any) -> bool:
        """Decide about the version that was seen; who asks again gets False, and no conflict."""
        if seen_version is not None:
            try:
                services.lock_seen_letter(letter_uuid=letter_uuid, seen_version=seen_version)
            except LetterChangedError:
                is_so = ProgramLetter.objects.filter(uuid=letter_uuid, state=self.becomes).exists()
                if not is_so:
                    raise
        return type(self).act(letter_uuid=letter_uuid, **wanted)


class RevokeLetter(LetterDecision):
    permission_classes = [MayRevoke]
    serializer_class = RevocationSerializer
    act = services.revoke_letter
    becomes = LetterState.REVOKED
    cause = "api:revoke_letter"

    @documentation.REVOKE
    def post(self, request: Request, letter_uuid: UUID) -> Response:
        return self.decide(request, letter_uuid)


class ReinstateLetter(LetterDecision):
    permission_classes = [MayReinstate]
    serializer_class = DecisionSerializer
    act = services.reinstate_letter
    becomes = LetterState.ACTIVE
    cause = "api:reinstate_letter"

    @documentation.REINSTATE
    def post(self, request: Request, letter_uuid: UUID) -> Response:
        return self.decide(request, letter_uuid)


def _verification_of(letter_uuid: str) -> selectors.Verification | None:
    try:
        return selectors.verify_letter(UUID(letter_uuid))
    except ValueError:
        return None
