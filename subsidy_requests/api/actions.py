"""What administrators do by the old service's clients: approve, decline."""

from typing import TYPE_CHECKING, Any

from rest_framework.request import Request
from rest_framework.response import Response

from subsidy_requests.api import documentation
from subsidy_requests.api.kinds import COUPON, LICENSE
from subsidy_requests.api.permissions import customer_to_decide_for, named_customer
from subsidy_requests.api.refusals import no_configuration, told_as_text
from subsidy_requests.api.serializers import DeclineSerializer
from subsidy_requests.api.views import RequestView
from subsidy_requests.enums import DecisionSource
from subsidy_requests.services.approving import approve_code_requests, approve_license_requests
from subsidy_requests.services.declining import decline_requests

if TYPE_CHECKING:
    from licenses.models import Customer


class Decide(RequestView):
    """Something decided about requests of one customer, by who may."""

    def post(self, request: Request) -> Response:
        customer = customer_to_decide_for(self.user, named_customer(request.data))
        wanted = self.wanted()
        if customer is None:
            raise no_configuration(wanted)
        with told_as_text(self.kind, wanted):
            return Response(self.decide(customer, wanted))

    def decide(self, customer: "Customer", wanted: dict[str, Any]) -> Any:
        """What the answer tells of the requests that were moved."""
        # There is no decision in general: each endpoint takes its own.
        raise NotImplementedError

    def how(self, customer: "Customer", wanted: dict[str, Any], act: str) -> dict[str, Any]:
        return {
            "customer": customer,
            "uuids": wanted["subsidy_request_uuids"],
            "source": DecisionSource.ADMIN_API,
            "notify": wanted["send_notification"],
            "by": self.attribution(act),
        }


class Decline(Decide):
    serializer_class = DeclineSerializer

    def decide(self, customer: "Customer", wanted: dict[str, Any]) -> Any:
        declined = decline_requests(
            self.kind.model,
            reason=wanted["decline_reason"],
            unlink=wanted["unlink_users_from_enterprise"],
            **self.how(customer, wanted, "decline"),
        )
        told = self.requests().filter(pk__in=[one.pk for one in declined]).order_by("pk")
        return self.kind.answer(told, many=True).data


@documentation.approve(LICENSE)
class ApproveLicenseRequests(Decide):
    kind = LICENSE
    serializer_class = LICENSE.approve

    def decide(self, customer: "Customer", wanted: dict[str, Any]) -> Any:
        plan_uuid = wanted["subscription_plan_uuid"]
        how = self.how(customer, wanted, "approve")
        approved = approve_license_requests(plan_uuid=plan_uuid, **how)
        return self.kind.approved(approved, many=True).data


@documentation.approve(COUPON)
class ApproveCouponCodeRequests(Decide):
    kind = COUPON
    serializer_class = COUPON.approve

    def decide(self, customer: "Customer", wanted: dict[str, Any]) -> Any:
        how = self.how(customer, wanted, "approve")
        approved = approve_code_requests(coupon_id=wanted["coupon_id"], **how)
        return self.kind.approved(approved, many=True).data


@documentation.decline(LICENSE)
class DeclineLicenseRequests(Decline):
    kind = LICENSE


@documentation.decline(COUPON)
class DeclineCouponCodeRequests(Decline):
    kind = COUPON
