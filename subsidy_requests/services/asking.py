"""Learners ask for a license or a code of a customer to which they belong."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.db import IntegrityError, transaction

from credentials_portal.core.errors import ConflictError, DomainError
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.retries import retry_conflicts
from licenses.selectors.access import customers_linked_to
from programs import selectors as programs
from subsidy_requests.enums import OPEN, RequestState, SubsidyType
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.gate import require_asking
from subsidy_requests.services.transitions import tell
from subsidy_requests.signals import subsidy_requested

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User
    from licenses.models import Customer

R = TypeVar("R", LicenseRequest, CouponCodeRequest)

ONCE = (
    "license_request_open_once",
    "coupon_code_request_open_once",
    "license_request_idempotency_key_once",
    "coupon_code_request_idempotency_key_once",
)
"""Constraints that refuse what somebody else inserted first."""


class NotLinkedError(DomainError):
    """The learner does not belong to the customer."""

    code = "not_linked"


class OutstandingRequestError(ConflictError):
    """The learner asked for it already, and waits for the answer."""

    code = "outstanding_request"


class IdempotencyKeyReusedError(ConflictError):
    """The learner sent this key before, with something else."""

    code = "idempotency_key_reused"


@retry_conflicts
@transaction.atomic
def ask_for_license(
    *,
    user: "User",
    customer: "Customer",
    course_id: str = "",
    reason: str = "",
    idempotency_key: str | None = None,
    by: Attribution,
) -> LicenseRequest:
    """Ask the customer for a license, for one course in mind or none.

    A learner waits for one answer of a customer at a time. The same `idempotency_key` again is
    the same request, however it stands by then. Announces `subsidy_requested`. Raises
    `NotLinkedError`, what `require_asking` raises, `OutstandingRequestError`,
    `IdempotencyKeyReusedError`.
    """
    request = LicenseRequest(
        user=user,
        customer=customer,
        course_id=course_id,
        reason=reason,
        idempotency_key=idempotency_key or None,
    )
    return _ask(request, SubsidyType.LICENSE, {"user": user, "customer": customer}, by=by)


@retry_conflicts
@transaction.atomic
def ask_for_code(
    *,
    user: "User",
    customer: "Customer",
    course_id: str,
    reason: str = "",
    idempotency_key: str | None = None,
    by: Attribution,
) -> CouponCodeRequest:
    """As `ask_for_license`, for a code that pays for this course; one answer is awaited of each
    course."""
    request = CouponCodeRequest(
        user=user,
        customer=customer,
        course_id=course_id,
        reason=reason,
        idempotency_key=idempotency_key or None,
    )
    subject = {"user": user, "customer": customer, "course_id": course_id}
    return _ask(request, SubsidyType.COUPON, subject, by=by)


def _ask(request: R, kind: SubsidyType, subject: dict[str, Any], *, by: Attribution) -> R:
    """Store it, or return the one that was stored under its key."""
    if not customers_linked_to(request.user).filter(pk=request.customer_id).exists():
        raise NotLinkedError("Only who belongs to an organization can ask it.")
    stored = _stored_before(request)
    if stored:
        return stored
    try:
        require_asking(request.customer, kind)
        _require_none_open(type(request), subject)
        _insert(request, by=by)
    except OutstandingRequestError:
        stored = _stored_before(request)
        if stored is None:
            raise
        return stored
    tell(subsidy_requested, [request], by=by)
    return request


def _stored_before(request: R) -> R | None:
    if request.idempotency_key is None:
        return None
    stored = (
        type(request)
        .objects.filter(user=request.user_id, idempotency_key=request.idempotency_key)
        .select_related("user", "customer")
        .first()
    )
    asked = (request.customer_id, request.course_id, request.reason)
    if stored and (stored.customer_id, stored.course_id, stored.reason) != asked:
        raise IdempotencyKeyReusedError("This idempotency key stands for another request.")
    return stored


def _require_none_open(model: type[R], subject: dict[str, Any]) -> None:
    """Failed ones are locked too: whoever tries one of them again waits, and finds the new one."""
    theirs = model.objects.filter(**subject, state__in=(*OPEN, RequestState.ERROR))
    locked = theirs.order_by("pk").select_for_update(of=("self",), no_key=True)
    if any(state in OPEN for state in locked.values_list("state", flat=True)):
        raise _outstanding()


def _insert(request: LicenseRequest | CouponCodeRequest, *, by: Attribution) -> None:
    request.created = request.modified = request.state_changed_at = by.at
    course = programs.course_words(request.course_id) if request.course_id else None
    if course:
        request.course_title, request.course_partners = course.title, course.owners
    try:
        with transaction.atomic():
            save_with_history(request, by=by)
    except IntegrityError as error:
        if error.__cause__.diag.constraint_name not in ONCE:  # type: ignore[union-attr]  # psycopg2's
            raise
        raise _outstanding() from None


def _outstanding() -> OutstandingRequestError:
    return OutstandingRequestError("You have asked for this already, and an answer is awaited.")
