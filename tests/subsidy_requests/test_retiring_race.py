"""Who leaves while they are granted something holds nothing; a last code is given once."""

from functools import partial

import pytest

from credentials_portal.accounts.services import retire_user
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import save_with_history
from licenses.models import SubscriptionPlan
from subsidy_requests.enums import DecisionSource, RequestState
from subsidy_requests.models import Coupon, CouponCode, CouponCodeRequest, LicenseRequest
from subsidy_requests.services.approving import approve_code_requests, approve_license_requests
from tests.core.outbox.test_races import at_once
from tests.licenses.factories import (
    AT,
    BY,
    CustomerLearnerFactory,
    LearnerFactory,
    assign,
    plan_with_seats,
    statuses,
)
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeFactory,
    CouponCodeRequestFactory,
    CouponFactory,
    LicenseRequestFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 2


def approve(request: LicenseRequest, plan: SubscriptionPlan) -> str:
    """What came of it: the state, or the code of the refusal."""
    try:
        (approved,) = approve_license_requests(
            customer=request.customer,
            uuids=[request.uuid],
            plan_uuid=plan.uuid,
            source=DecisionSource.COMMAND,
            notify=False,
            by=BY,
        )
    except DomainError as refusal:
        return refusal.code
    return approved.state


def approve_code(request: CouponCodeRequest, coupon: Coupon) -> str:
    try:
        (approved,) = approve_code_requests(
            customer=request.customer,
            uuids=[request.uuid],
            coupon_id=coupon.pk,
            source=DecisionSource.COMMAND,
            notify=False,
            by=BY,
        )
    except DomainError as refusal:
        return refusal.code
    return approved.state


def test_who_leaves_while_a_license_is_granted_holds_none() -> None:
    """Leaving locks the account and the plan before the request, approving after it: one of the two
    loses, and is done again."""
    plan = plan_with_seats(1)
    customer = plan.customer_agreement.customer
    ConfigurationFactory.create(customer=customer)
    for _round in range(ROUNDS):
        learner = LearnerFactory.create()
        CustomerLearnerFactory.create(customer=customer, user=learner)
        assign(plan, learner.email)
        request = LicenseRequestFactory.build(customer=customer, user=learner)
        save_with_history(request, by=BY)

        _left, told = at_once(
            partial(retire_user, user=learner, at=AT, actor=None, reason=""),
            partial(approve, request, plan),
        )

        request.refresh_from_db()
        assert (told, request.state) in {
            ("fulfilled", RequestState.FULFILLED),
            ("illegal_transition", RequestState.CANCELLED),
        }
        assert statuses(plan) == {"unassigned": 1}


def test_the_last_code_goes_to_one_of_the_requests_that_two_approve() -> None:
    for _round in range(ROUNDS):
        coupon = CouponFactory.create()
        ConfigurationFactory.create(customer=coupon.customer, coupons=True)
        CouponCodeFactory.create(coupon=coupon)
        requests = CouponCodeRequestFactory.create_batch(2, customer=coupon.customer)

        told = at_once(*(partial(approve_code, request, coupon) for request in requests))

        granted = requests[told.index("fulfilled")]
        assert sorted(map(str, told)) == ["fulfilled", "not_enough_codes"]
        assert CouponCode.objects.get(coupon=coupon).source_request_uuid == granted.uuid
