from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class SubsidyType(TextChoices):
    """What a customer's learners may ask for."""

    LICENSE = "license", _("licenses")
    COUPON = "coupon", _("coupon codes")


class RequestState(TextChoices):
    """How a request stands. The API calls `approved` pending and `fulfilled` approved."""

    REQUESTED = "requested", _("waiting for a decision")
    APPROVED = "approved", _("approved, about to be granted")
    FULFILLED = "fulfilled", _("granted")
    DECLINED = "declined", _("declined")
    CANCELLED = "cancelled", _("cancelled by the learner")
    ERROR = "error", _("approved, but could not be granted")
    EXPIRED = "expired", _("expired unanswered")


WIRE_STATES = {
    RequestState.REQUESTED: "requested",
    RequestState.APPROVED: "pending",
    RequestState.FULFILLED: "approved",
    RequestState.DECLINED: "declined",
    RequestState.CANCELLED: "cancelled",
    RequestState.ERROR: "error",
    RequestState.EXPIRED: "expired",
}
"""What clients of the old service read and filter by; each internal state has one of its own."""

TRANSITIONS: dict[RequestState, frozenset[RequestState]] = {
    RequestState.REQUESTED: frozenset(
        {
            RequestState.APPROVED,
            RequestState.DECLINED,
            RequestState.CANCELLED,
            RequestState.EXPIRED,
        }
    ),
    RequestState.APPROVED: frozenset({RequestState.FULFILLED, RequestState.ERROR}),
    RequestState.ERROR: frozenset(
        {RequestState.APPROVED, RequestState.DECLINED, RequestState.CANCELLED}
    ),
    RequestState.FULFILLED: frozenset(),
    RequestState.DECLINED: frozenset(),
    RequestState.CANCELLED: frozenset(),
    RequestState.EXPIRED: frozenset(),
}
"""All that can become of a request."""

OPEN = (RequestState.REQUESTED, RequestState.APPROVED)
"""States in which a learner cannot ask for the same again."""

GRANTABLE = (RequestState.REQUESTED, RequestState.ERROR)
"""States in which a request can be approved, declined or cancelled."""


class DecisionSource(TextChoices):
    """Through what a request got its last state."""

    LEARNER = "learner", _("its learner")
    ADMIN_API = "admin_api", _("an administrator, by the API")
    ADMIN_PAGE = "admin_page", _("an administrator, on the customer's page")
    DJANGO_ADMIN = "django_admin", _("staff")
    TYPE_CHANGE = "type_change", _("the customer offers something else now")
    EXPIRY = "expiry", _("its time was over")
    COMMAND = "command", _("an operator")


REVIEWED_BY_SOMEBODY = (
    DecisionSource.ADMIN_API,
    DecisionSource.ADMIN_PAGE,
    DecisionSource.DJANGO_ADMIN,
)
"""Sources of a decision that a person took."""


class ErrorCode(TextChoices):
    """Why an approved request could not be granted."""

    NO_SEATS = "no_seats", _("no seat is free")
    NO_CODES = "no_codes", _("no code is free")
    PLAN_INACTIVE = "plan_inactive", _("the plan is not active")
    PLAN_EXPIRED = "plan_expired", _("the plan has ended")
    PROVIDER_UNAVAILABLE = "provider_unavailable", _("nobody gave a code")
    INTERNAL = "internal", _("an unexpected error, which is logged")


class UnlinkResult(TextChoices):
    """What came of unlinking a declined learner from the customer."""

    DONE = "done", _("unlinked")
    HOLDS_LICENSE = "holds_license", _("not unlinked: holds a license")
    FAILED = "failed", _("failed, tried again")


class Notice(TextChoices):
    """What a mail tells of requests."""

    FULFILLED = "fulfilled", _("granted")
    DECLINED = "declined", _("declined")
    AUTO_DECLINED = "auto_declined", _("declined, since the customer offers something else")
    EXPIRED = "expired", _("expired")
    DIGEST = "digest", _("new requests, for administrators")
