"""What the old service's clients do: assign, remind and revoke, activate, look up, retire."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction
from django.utils import timezone
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.accounts.models import User, normalise_email
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.retries import retry_conflicts
from licenses import services
from licenses.api import documentation
from licenses.api.permissions import MayLookUp, MayRetire
from licenses.api.serializers import (
    AssignSerializer,
    ChoiceOfLicensesSerializer,
    LearnerLicenseSerializer,
    LookUpSerializer,
    RemindSerializer,
    RetireSerializer,
    StaffLicenseSerializer,
    WordsSerializer,
)
from licenses.api.views import PlanScoped
from licenses.api.wire import WireError, WireView
from licenses.enums import LicenseStatus
from licenses.models import CustomerAgreement, License, SubscriptionPlan
from licenses.selectors.access import ASSIGN, REVOKE, may_act_for, may_act_for_every
from licenses.selectors.standing import agreement_standings, plan_standings
from licenses.services.locking import lock_plan

REVOCABLE = [LicenseStatus.ACTIVATED.value, LicenseStatus.ASSIGNED.value]
NONE_PENDING = "Could not find any licenses pending activation"
NOT_APPLIED = (
    "License was unable to be automatically applied. "
    "Please contact your administrator for further assistance."
)
NOT_ELIGIBLE = (
    "You are not eligible for an auto-applied license. "
    "Please contact your administrator for further assistance."
)
NONE_REMAINING = (
    "There are no licenses remaining in your organization. "
    "Please contact your administrator for further assistance."
)
DATABASE_ERROR_APPLYING = (
    "Database error occurred while auto-applying license, no auto-applied license was completed."
)
DATABASE_ERROR_ASSIGNING = (
    "Database error occurred while assigning licenses, no assignments were completed"
)
ASSIGNMENT_LOCKED = "Assignment currently locked for this subscription plan."
# Without a blank between its sentences, as clients know it.
NOT_ENOUGH_SEATS = (
    "There are not enough licenses that can be assigned to complete your request."
    "You attempted to assign {} licenses, but there are only {} potentially available."
)
NOT_ENOUGH_REVOCATIONS = "Plan does not have enough revocations remaining."
CAP_ENABLED = "Cannot revoke all licenses when revocation cap is enabled for the subscription plan"
FAILED = "Action: {} failed for license: {} because: {}"
ADDRESS_REQUIRED = "A ``user_email`` is required in the request data"

log = structlog.get_logger(__name__)


class PlanAction(PlanScoped):
    """Something done to a plan's licenses by who may."""

    permission: str

    def plan(self) -> SubscriptionPlan:
        plan = super().plan()
        if not may_act_for(self.user, plan.customer_agreement.customer, self.permission):
            raise PermissionDenied
        return plan

    def known_plan(self) -> SubscriptionPlan:
        """Like `plan`, but who may act for every customer is told that there is none."""
        plan_uuid = self.kwargs["subscription_uuid"]
        is_unknown = not SubscriptionPlan.objects.filter(uuid=plan_uuid).exists()
        if is_unknown and may_act_for_every(self.user, self.permission):
            text = f"No SubscriptionPlan identified by {plan_uuid} exists"
            raise WireError(text, HTTPStatus.NOT_FOUND)
        return self.plan()


class AssignLicenses(PlanAction):
    serializer_class = AssignSerializer
    permission = ASSIGN

    @documentation.ASSIGN
    def post(self, request: Request, subscription_uuid: UUID) -> Response:
        plan = self.plan()
        wanted = self.wanted()
        sent = _as_sent(wanted["user_emails"])
        assignment = self._assign(plan, wanted)
        return Response(
            {
                "num_successful_assignments": len(assignment.assigned),
                "num_already_associated": assignment.already_associated,
                "license_assignments": [
                    {"user_email": sent[license.user_email], "license": license.uuid}
                    for license in assignment.assigned
                ],
            }
        )

    def _assign(self, plan: SubscriptionPlan, wanted: dict[str, Any]) -> services.Assignment:
        try:
            return services.assign_licenses(
                plan_uuid=plan.uuid,
                emails=wanted["user_emails"],
                notify=wanted["notify_users"],
                greeting=wanted["greeting"],
                closing=wanted["closing"],
                by=self.attribution("assign_licenses"),
            )
        except services.NotEnoughSeatsError as error:
            text = NOT_ENOUGH_SEATS.format(error.requested, error.available)
            raise WireError(text, HTTPStatus.BAD_REQUEST) from error
        except services.PlanBusyError as error:
            raise WireError(ASSIGNMENT_LOCKED, HTTPStatus.LOCKED) from error
        except DatabaseError as error:
            _log("assignment_failed", error)
            raise WireError(DATABASE_ERROR_ASSIGNING, HTTPStatus.UNPROCESSABLE_ENTITY) from error


class RemindLearners(PlanAction):
    serializer_class = RemindSerializer
    permission = ASSIGN

    @documentation.REMIND
    def post(self, request: Request, subscription_uuid: UUID) -> Response:
        plan = self.known_plan()
        wanted = self.wanted()
        try:
            self._remind(plan, wanted)
        except services.NoPendingLicenseError as error:
            text = f"{NONE_PENDING} that are associated with the email: {error.emails[0]}"
            raise WireError(text, HTTPStatus.NOT_FOUND) from error
        return Response(status=HTTPStatus.NO_CONTENT)

    @retry_conflicts
    @transaction.atomic
    def _remind(self, plan: SubscriptionPlan, wanted: dict[str, Any]) -> None:
        services.remind(
            plan_uuid=plan.uuid,
            emails=_chosen(plan, wanted, (LicenseStatus.ASSIGNED,)),
            greeting=wanted["greeting"],
            closing=wanted["closing"],
            by=self.attribution("remind"),
        )


class RemindAllLearners(PlanAction):
    serializer_class = WordsSerializer
    permission = ASSIGN

    @documentation.REMIND_ALL
    def post(self, request: Request, subscription_uuid: UUID) -> Response:
        plan = self.plan()
        by = self.attribution("remind_all")
        if not services.remind(plan_uuid=plan.uuid, by=by, **self.wanted()):
            raise WireError(NONE_PENDING, HTTPStatus.NOT_FOUND)
        return Response(status=HTTPStatus.NO_CONTENT)


class RevokeLicenses(PlanAction):
    serializer_class = ChoiceOfLicensesSerializer
    permission = REVOKE

    @documentation.REVOKE
    def post(self, request: Request, subscription_uuid: UUID) -> Response:
        plan = self.known_plan()
        wanted = self.wanted()
        sent = _as_sent(wanted.get("user_emails", ()))
        revocations = self._revoke(plan, wanted)
        status = HTTPStatus.MULTI_STATUS if revocations.unsuccessful else HTTPStatus.OK
        results = {
            "successful_revocations": [
                {
                    "license_uuid": revoked.license.uuid,
                    "original_status": revoked.original_status,
                    "user_email": sent.get(revoked.license.user_email, revoked.license.user_email),
                }
                for revoked in revocations.successful
            ],
            "unsuccessful_revocations": [
                _told(refused, plan) for refused in revocations.unsuccessful
            ],
        }
        return Response(results, status=status)

    @retry_conflicts
    @transaction.atomic
    def _revoke(self, plan: SubscriptionPlan, wanted: dict[str, Any]) -> services.Revocations:
        """Revoke them, unless the cap would not allow for all, the assigned ones included."""
        emails = _chosen(plan, wanted, REVOCABLE)
        [standing] = plan_standings([lock_plan(pk=plan.pk)], at=timezone.now())
        left = standing.revocations_left
        if left is not None and len(_as_sent(emails)) > left:
            raise WireError(NOT_ENOUGH_REVOCATIONS, HTTPStatus.BAD_REQUEST)
        return services.revoke_licenses(
            plan_uuid=plan.uuid, emails=emails, by=self.attribution("revoke_licenses")
        )


class RevokeAllLicenses(PlanAction):
    permission = REVOKE

    @documentation.REVOKE_ALL
    def post(self, request: Request, subscription_uuid: UUID) -> Response:
        plan = self.known_plan()
        try:
            services.revoke_all(plan_uuid=plan.uuid, by=self.attribution("revoke_all"))
        except services.RevocationCapEnabledError as error:
            raise WireError(CAP_ENABLED, HTTPStatus.UNPROCESSABLE_ENTITY) from error
        return Response(status=HTTPStatus.NO_CONTENT)


class ActivateLicense(WireView):
    serializer_class = LearnerLicenseSerializer

    @documentation.ACTIVATE
    def post(self, request: Request) -> Response:
        key = _activation_key(request)
        try:
            license = services.activate_license(
                activation_key=key, user=self.user, by=self.attribution("activate_license")
            )
        except services.LicenseNotFoundError as error:
            raise NotFound("No License matches the given query.") from error
        except services.LicenseRevokedError as error:
            text = self._why_not(key)
            raise WireError(text, HTTPStatus.UNPROCESSABLE_ENTITY) from error
        return _own_license(license, self.get_serializer_context())

    def _why_not(self, key: UUID) -> str:
        own = License.objects.held_by_user(self.user).filter(activation_key=key)
        revoked = own.filter(status=LicenseStatus.REVOKED).order_by("-pk").first()
        return FAILED.format(
            "activation", revoked and revoked.uuid, "Cannot activate a revoked license."
        )


class AutoApplyLicense(WireView):
    serializer_class = LearnerLicenseSerializer

    @documentation.AUTO_APPLY
    def post(self, request: Request, customer_agreement_uuid: UUID) -> Response:
        agreements = CustomerAgreement.objects.visible_to(self.user)
        agreement = agreements.filter(uuid=customer_agreement_uuid).first()
        if agreement is None:
            raise NotFound
        return _own_license(self._apply(agreement), self.get_serializer_context())

    def _apply(self, agreement: CustomerAgreement) -> License:
        by = self.attribution("auto_apply_license")
        try:
            return services.auto_apply_license(agreement=agreement, user=self.user, by=by)
        except (services.NotAutoApplicableError, services.LearnerUnknownError) as error:
            raise WireError(NOT_APPLIED, HTTPStatus.UNPROCESSABLE_ENTITY) from error
        except services.LicenseRevokedError as error:
            raise WireError(NOT_ELIGIBLE, HTTPStatus.UNPROCESSABLE_ENTITY) from error
        except services.NoSeatLeftError as error:
            raise WireError(NONE_REMAINING, HTTPStatus.UNPROCESSABLE_ENTITY) from error
        except (services.PlanBusyError, DatabaseError) as error:
            _log("auto_apply_failed", error)
            raise WireError(DATABASE_ERROR_APPLYING, HTTPStatus.UNPROCESSABLE_ENTITY) from error


class LookUpLicenses(WireView):
    """All licenses of an address, for the people who answer learners."""

    permission_classes = [MayLookUp]
    serializer_class = LookUpSerializer

    @documentation.LOOK_UP
    def post(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        if not serializer.is_valid():
            raise WireError(ADDRESS_REQUIRED, HTTPStatus.BAD_REQUEST)
        licenses = License.objects.held_by(email=serializer.validated_data["user_email"])
        found = list(licenses.select_related("subscription_plan").order_by("pk"))
        if not found:
            return Response(status=HTTPStatus.NOT_FOUND)
        return Response(StaffLicenseSerializer(found, many=True).data)


class RetireUser(WireView):
    """A person leaves: the pipeline that retires people asks each service in turn."""

    permission_classes = [MayRetire]
    serializer_class = RetireSerializer

    @documentation.RETIRE
    def post(self, request: Request) -> Response:
        for name in ("lms_user_id", "original_username"):
            if not (isinstance(request.data, dict) and request.data.get(name)):
                raise ParseError(
                    f'Required field "{name}" missing or missing value in retirement request"'
                )
        if not self._retire(**self.wanted()):
            return Response(status=HTTPStatus.NOT_FOUND)
        return Response(status=HTTPStatus.NO_CONTENT)

    @retry_conflicts
    @transaction.atomic
    def _retire(self, *, lms_user_id: int, original_username: str) -> bool:
        """Erase the account with this name or this id in the LMS, and what else the id holds.

        Returns whether there was an account. Raises `ParseError` where it is somebody else's.
        """
        by = self.attribution("retire_user")
        people = User.objects.filter(retired_at=None)
        user = people.filter(username=original_username).first()
        if user and user.lms_user_id not in (None, lms_user_id):
            raise ParseError("The username and the LMS user id are those of different people.")
        user = user or people.filter(lms_user_id=lms_user_id).first()
        if user:
            retire_user(user=user, at=by.at, actor=by.actor, reason="Left the LMS.", cause=by.cause)
        services.retire_learner(user_id=None, email="", lms_user_id=lms_user_id, by=by)
        return user is not None


def _log(event: str, error: Exception) -> None:
    """Without the database's own words, which quote addresses."""
    log.error(event, error=type(error).__name__, pgcode=getattr(error.__cause__, "pgcode", None))


def _as_sent(emails: Iterable[str]) -> dict[str, str]:
    """Addresses as the caller first wrote them, by how they are kept."""
    return {normalise_email(email): email for email in reversed(list(emails))}


def _chosen(plan: SubscriptionPlan, wanted: dict[str, Any], statuses: Sequence[str]) -> list[str]:
    """The addresses that the caller named, or those in these statuses that filters find."""
    if "user_emails" in wanted:
        return list(wanted["user_emails"])
    # What the filters find stays so until the caller's transaction ends.
    lock_plan(pk=plan.pk)
    licenses = License.objects.filter(subscription_plan=plan, status__in=statuses)
    for each in wanted["filters"]:
        if each["name"] == "user_email":
            licenses = licenses.filter(user_email__icontains=each["filter_value"])
        else:
            licenses = licenses.filter(status__in=each["filter_value"])
    return list(licenses.exclude(user_email="").order_by("pk").values_list("user_email", flat=True))


def _told(refused: services.Refused, plan: SubscriptionPlan) -> dict[str, Any]:
    status, error = (
        HTTPStatus.NOT_FOUND,
        (
            f"No license for email {refused.email} exists in plan {plan.uuid}"
            f" with a status in {REVOCABLE}"
        ),
    )
    if refused.refusal == services.Refusal.CAP_REACHED:
        status, error = HTTPStatus.BAD_REQUEST, NOT_ENOUGH_REVOCATIONS
    return {"error": error, "error_response_status": status, "user_email": refused.email}


def _own_license(license: License, context: Mapping[str, Any]) -> Response:
    agreements = CustomerAgreement.objects.select_related("customer")
    agreement = agreements.get(subscriptions=license.subscription_plan_id)
    [standing] = agreement_standings([agreement], at=timezone.now(), with_seats=False)
    told = LearnerLicenseSerializer(license, context={**context, "standing": standing})
    return Response(told.data)


def _activation_key(request: Request) -> UUID:
    written = request.query_params.get("activation_key")
    if not written:
        raise ParseError("activation_key is a required parameter")
    try:
        return UUID(written)
    except ValueError as error:
        raise ParseError(f"{written} is not a valid activation key.") from error
