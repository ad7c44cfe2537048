"""Requests as people see them: whose they are, how many there are, and what happened to them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from licenses.selectors.access import customers_administered_by, sees_every_customer
from subsidy_requests.enums import WIRE_STATES, RequestState
from subsidy_requests.models import CouponCodeRequest, LicenseRequest

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

R = TypeVar("R", LicenseRequest, CouponCodeRequest)
AnyRequest = LicenseRequest | CouponCodeRequest

REVIEW = "subsidy_requests.review_subsidy_requests"
"""The permission to decide on requests; a customer's administrators need none."""

DETAILS: dict[type[Any], tuple[str, ...]] = {
    LicenseRequest: ("user", "customer", "reviewer", "subscription_plan", "license"),
    CouponCodeRequest: ("user", "customer", "reviewer", "coupon", "coupon_code"),
}


def visible_to(model: type[R], user: Any) -> "QuerySet[R]":
    """Everybody's own, and those of the customers that this user administers; all, for staff and
    services that see every customer.

    Whose customers these are is looked up at once: as part of the statement it would make
    PostgreSQL read all requests.
    """
    requests = model.objects.select_related(*DETAILS[model])
    if sees_every_customer(user):
        return requests
    customers = list(customers_administered_by(user).order_by().values_list("pk", flat=True))
    return requests.filter(Q(user_id=user.pk) | Q(customer_id__in=customers))


def counts_by_wire_state(requests: "QuerySet[Any]") -> dict[str, int]:
    """How many of these there are by what clients call their state, the most first."""
    rows = requests.order_by().values_list("state").annotate(count=Count("pk"))
    found = {WIRE_STATES[RequestState(state)]: count for state, count in rows}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Happening:
    """One change of a request's state, of which learners are not told `who` did it, its `error`
    and its `comment`; `is_again` after a failed attempt."""

    at: datetime
    state: RequestState
    source: str
    who: "User | None"
    reason: str = ""
    error: str = ""
    comment: str = ""
    is_again: bool = False

    @property
    def words(self) -> str:
        return str(self.state.label)


def story_of(request: AnyRequest) -> list[Happening]:
    """What happened to a request, the newest first, in one statement.

    That it was approved goes without saying where it was granted at once.
    """
    rows = request.history.select_related("history_user").order_by("history_id")
    return list(_with_one_step_for_grants(list(_changes(list(rows)))))[::-1]


def _with_one_step_for_grants(steps: list[Happening]) -> Iterator[Happening]:
    """What was said of the decision stays said."""
    decisions = {step.at: step for step in steps if step.state == RequestState.APPROVED}
    granted_at = {step.at for step in steps if step.state == RequestState.FULFILLED}
    for step in steps:
        decision = decisions.get(step.at)
        if decision and step.state == RequestState.FULFILLED:
            yield replace(step, comment=decision.comment, is_again=decision.is_again)
        elif step is not decision or step.at not in granted_at:
            yield step


def _changes(rows: list[Any]) -> Iterator[Happening]:
    before: Any = None
    for row in rows:
        if before is None or row.state != before.state:
            state = RequestState(row.state)
            yield Happening(
                at=row.history_date,
                state=state,
                source=row.get_decision_source_display(),
                who=row.history_user,
                reason=row.decline_reason if state == RequestState.DECLINED else "",
                error=row.get_error_code_display(),
                comment=row.history_change_reason or "",
                is_again=before is not None and before.state == RequestState.ERROR,
            )
        before = row


def request_of_learner(user: "User", request_uuid: UUID) -> AnyRequest | None:
    """This one, if it is theirs; in two statements at most."""
    own = {"user": user, "uuid": request_uuid}
    return (
        LicenseRequest.objects.filter(**own)
        .select_related(*DETAILS[LicenseRequest], "subscription_plan__customer_agreement")
        .first()
        or CouponCodeRequest.objects.filter(**own)
        .select_related(*DETAILS[CouponCodeRequest])
        .first()
    )
