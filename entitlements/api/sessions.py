"""Learners' sessions: chosen, switched, left and refunded; and what an LMS asks and tells of them."""

from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from rest_framework.parsers import FormParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.accounts.models import User
from credentials_portal.api.errors import BUSY_RETRY_SECONDS
from credentials_portal.api.wire import WireError, WireView, is_storable
from credentials_portal.core.errors import ConflictError
from entitlements.api import documentation
from entitlements.api.permissions import MaySupport
from entitlements.api.serializers import (
    LONGEST_KEY,
    EnrollSerializer,
    RunOfLearnerSerializer,
    UnenrollmentSerializer,
)
from entitlements.api.views import told_again
from entitlements.deliveries.acting import leave_now, redeem_now, refund_now, unenroll_now, use_now
from entitlements.enums import RedemptionStatus, RefundStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRedemption
from entitlements.selectors.judging import judge
from entitlements.services.locking import EntitlementExpiredError, EntitlementNotFoundError
from entitlements.services.redeeming import (
    EntitlementNotRedeemableError,
    RunMismatchError,
    RunUnavailableError,
)

NO_RUN = "The Course Run ID was not provided."
NO_ENTITLEMENT = "The Entitlement for this UUID does not exist or is Expired."
NO_MATCH = "The Course Run ID is not a match for this Course Entitlement."
NOT_AVAILABLE = "The User is unable to enroll in Course Run {run}, it is not available."
NOT_ENROLLED = (
    "Course Entitlement Enroll for {user} failed for course: {run}, mode: {mode},"
    " and entitlement: {entitlement}"
)
NOT_REFUNDABLE = "Entitlement refund failed, Entitlement is not refundable"
NOT_REFUNDED = "Entitlement revoke and refund failed due to refund internal process failure"
UNDER_WAY = "The LMS has not answered yet. It will be asked again: look later."
ACCEPTED_REFUNDS = (RefundStatus.OPENED, RefundStatus.PAID)


class Enrollments(WireView):
    """The session of the caller's own entitlement; of nobody else's, whoever asks."""

    permission_classes = [IsAuthenticated]
    # The learner dashboard sends a form.
    parser_classes = [*WireView.parser_classes, FormParser]
    serializer_class = EnrollSerializer

    @documentation.ENROLL
    def post(self, request: Request, entitlement_uuid: UUID) -> Response:
        run_key, by = _run_key(request.data), self.attribution("enroll")
        try:
            attempt = redeem_now(
                entitlement_uuid=entitlement_uuid, course_run_key=run_key, by=by, user=self.user
            )
        except (EntitlementNotFoundError, EntitlementExpiredError, EntitlementNotRedeemableError):
            raise _bad(NO_ENTITLEMENT) from None
        except RunMismatchError:
            raise self._bad_unless_over(entitlement_uuid, NO_MATCH, at=by.at) from None
        except RunUnavailableError:
            raise _bad({"message": NOT_AVAILABLE.format(run=run_key)}) from None
        except ConflictError:
            raise self._not_enrolled(entitlement_uuid, run_key) from None
        if attempt:
            _require_finished(attempt)
            if attempt.status != RedemptionStatus.DONE:
                raise self._not_enrolled(entitlement_uuid, run_key)
        return Response({"course_run_id": run_key}, status=HTTPStatus.CREATED)

    @documentation.LEAVE
    def delete(self, request: Request, entitlement_uuid: UUID) -> Response:
        if request.query_params.get("is_refund") == "true":
            self._refund(entitlement_uuid)
        else:
            self._leave(entitlement_uuid)
        return Response(status=HTTPStatus.NO_CONTENT)

    def _leave(self, entitlement_uuid: UUID) -> None:
        by = self.attribution("leave")
        try:
            leave_now(entitlement_uuid=entitlement_uuid, by=by, user=self.user)
        except (EntitlementNotFoundError, EntitlementExpiredError):
            raise _bad(NO_ENTITLEMENT) from None
        except ConflictError as error:
            raise _bad({"message": error.message}) from None

    def _refund(self, entitlement_uuid: UUID) -> None:
        by = self.attribution("refund")
        try:
            refund = refund_now(entitlement_uuid=entitlement_uuid, by=by, user=self.user)
        except EntitlementNotFoundError:
            raise _bad(NO_ENTITLEMENT) from None
        except ConflictError:
            raise self._bad_unless_over(entitlement_uuid, NOT_REFUNDABLE, at=by.at) from None
        if refund.status not in ACCEPTED_REFUNDS:
            raise WireError({"message": NOT_REFUNDED}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _bad_unless_over(self, entitlement_uuid: UUID, text: str, *, at: datetime) -> WireError:
        """One that has ended is told of as such, whatever else is wrong."""
        [judged] = judge(self._own(entitlement_uuid), at=at)
        return _bad(NO_ENTITLEMENT if judged.decision.is_expired else {"message": text})

    def _own(self, entitlement_uuid: UUID) -> Any:
        own = CourseEntitlement.objects.filter(uuid=entitlement_uuid, user=self.user)
        return own.select_related("policy")

    def _not_enrolled(self, entitlement_uuid: UUID, run_key: str) -> WireError:
        text = NOT_ENROLLED.format(
            user=self.user.username,
            run=run_key,
            mode=self._own(entitlement_uuid).get().mode,
            entitlement=entitlement_uuid,
        )
        return _bad({"message": text})


class Redemptions(WireView):
    """What an LMS asks when somebody enrolls there."""

    permission_classes = [MaySupport]
    serializer_class = RunOfLearnerSerializer

    @documentation.REDEEM
    def post(self, request: Request) -> Response:
        wanted = self.wanted()
        user = User.objects.filter(username=wanted["user"]).first()
        by = self.attribution("redeem")
        use = use_now(user=user, course_run_key=wanted["course_run_id"], by=by) if user else None
        if use and use.redemption:
            _require_finished(use.redemption)
        if use is None or (use.redemption and use.redemption.status != RedemptionStatus.DONE):
            return Response(status=HTTPStatus.NO_CONTENT)
        return Response(told_again(use.entitlement), status=HTTPStatus.CREATED)


class Unenrollments(WireView):
    """What an LMS tells when somebody was unenrolled there."""

    permission_classes = [MaySupport]
    serializer_class = UnenrollmentSerializer

    @documentation.UNENROLL
    def post(self, request: Request) -> Response:
        wanted = self.wanted()
        user = User.objects.filter(username=wanted["user"]).first()
        if user:
            unenroll_now(
                user=user,
                course_run_key=wanted["course_run_id"],
                skip_refund=wanted["skip_refund"],
                by=self.attribution("unenroll"),
            )
        return Response(status=HTTPStatus.NO_CONTENT)


def _run_key(body: Any) -> str:
    """The key that a body names. Raises `WireError`."""
    run_key = body.get("course_run_id") if isinstance(body, dict) else None
    if not run_key:
        raise _bad(NO_RUN)
    is_key = isinstance(run_key, str) and len(run_key) <= LONGEST_KEY and is_storable(run_key)
    if not is_key:
        raise _bad({"message": f"Invalid {run_key!a}"})
    return str(run_key)


def _require_finished(attempt: CourseEntitlementRedemption) -> None:
    if attempt.status == RedemptionStatus.PENDING:
        raise WireError(
            {"message": UNDER_WAY},
            HTTPStatus.SERVICE_UNAVAILABLE,
            headers={"Retry-After": str(BUSY_RETRY_SECONDS)},
        )


def _bad(answer: str | dict[str, Any]) -> WireError:
    return WireError(answer, HTTPStatus.BAD_REQUEST)
