"""Learners' requests for a license or a coupon code of their customer, and what grants them."""

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.core.history import history_records
from subsidy_requests.enums import (
    OPEN,
    REVIEWED_BY_SOMEBODY,
    WIRE_STATES,
    DecisionSource,
    ErrorCode,
    RequestState,
    SubsidyType,
    UnlinkResult,
)

MAX_REASON = 1_000


class SubsidyRequestCustomerConfiguration(TimeStampedModel):
    """Whether a customer's learners may ask, and for what."""

    customer = models.OneToOneField(
        "licenses.Customer", on_delete=models.PROTECT, related_name="subsidy_request_configuration"
    )
    subsidy_requests_enabled = models.BooleanField(default=False)
    subsidy_type = models.CharField(  # noqa: DJ001 - the wire's: null is "not set up"
        max_length=32, choices=SubsidyType.choices, null=True, blank=True
    )
    shows_contacts = models.BooleanField(
        _("learners see the administrators' addresses"), default=True
    )
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    history = history_records()

    class Meta:
        verbose_name = _("configuration of requests")
        verbose_name_plural = _("configurations of requests")
        constraints = [
            models.CheckConstraint(
                condition=Q(subsidy_type=None) | Q(subsidy_type__in=SubsidyType.values),
                name="subsidy_request_type_known",
            )
        ]

    def __str__(self) -> str:
        return f"requests of customer {self.customer_id}"


class SubsidyRequest(TimeStampedModel):
    """A learner asks a customer for access. `course_id` is the key of a course, not of a run.

    `reviewed_at` is when it was decided; `reviewer` who did, where a person did.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="%(class)ss"
    )
    customer = models.ForeignKey(
        "licenses.Customer", on_delete=models.PROTECT, related_name="%(class)ss"
    )
    course_id = models.CharField(max_length=128, blank=True)
    course_title = models.CharField(max_length=255, blank=True)
    course_partners = models.JSONField(default=list, blank=True)
    reason = models.TextField(
        _("why the learner asks"), blank=True, validators=[MaxLengthValidator(MAX_REASON)]
    )
    state = models.CharField(
        max_length=25, choices=RequestState.choices, default=RequestState.REQUESTED
    )
    state_changed_at = models.DateTimeField()
    decision_source = models.CharField(max_length=16, choices=DecisionSource.choices, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decline_reason = models.CharField(max_length=255, blank=True)
    error_code = models.CharField(max_length=32, choices=ErrorCode.choices, blank=True)
    grant_attempts = models.PositiveSmallIntegerField(default=0)
    unlink_requested = models.BooleanField(default=False)
    unlink_result = models.CharField(max_length=16, choices=UnlinkResult.choices, blank=True)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - unique where given
    digest_sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def wire_state(self) -> str:
        return WIRE_STATES[RequestState(self.state)]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


def _common_constraints(prefix: str) -> list[Any]:
    decided = (RequestState.APPROVED, RequestState.FULFILLED, RequestState.DECLINED)
    return [
        models.CheckConstraint(
            condition=Q(state__in=RequestState.values), name=f"{prefix}_state_known"
        ),
        models.CheckConstraint(
            condition=~Q(state__in=decided) | Q(reviewed_at__isnull=False),
            name=f"{prefix}_decided_has_date",
        ),
        models.CheckConstraint(
            condition=~Q(decision_source__in=REVIEWED_BY_SOMEBODY) | Q(reviewer__isnull=False),
            name=f"{prefix}_reviewed_has_reviewer",
        ),
        models.CheckConstraint(
            condition=Q(state=RequestState.REQUESTED, decision_source="")
            | (~Q(state=RequestState.REQUESTED) & ~Q(decision_source="")),
            name=f"{prefix}_decision_has_source",
        ),
        models.CheckConstraint(
            condition=Q(state=RequestState.ERROR, error_code__in=ErrorCode.values)
            | (~Q(state=RequestState.ERROR) & Q(error_code="")),
            name=f"{prefix}_error_has_code",
        ),
        models.UniqueConstraint(
            fields=["user", "idempotency_key"],
            condition=Q(idempotency_key__isnull=False),
            name=f"{prefix}_idempotency_key_once",
        ),
    ]


def _common_indexes(prefix: str) -> list[models.Index]:
    return [
        models.Index(fields=["customer", "state", "-created"], name=f"{prefix}_queue"),
        models.Index(fields=["user", "-created"], name=f"{prefix}_user"),
        models.Index(fields=["-created", "-id"], name=f"{prefix}_newest"),
        models.Index(
            fields=["customer", "created"],
            condition=Q(state=RequestState.REQUESTED, digest_sent_at=None),
            name=f"{prefix}_undigested",
        ),
    ]


class LicenseRequest(SubsidyRequest):
    """One open request of a learner and a customer at a time, whatever the course.

    `license` is what it was fulfilled with. A seat that was freed since may be another request's
    by now: whose it is at present the license itself says, by `source_request_uuid`.
    """

    subscription_plan = models.ForeignKey(
        "licenses.SubscriptionPlan",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    license = models.ForeignKey(
        "licenses.License", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    already_had_license = models.BooleanField(default=False)

    history = history_records(history_id_field=models.BigAutoField())

    class Meta:
        verbose_name = _("license request")
        indexes = _common_indexes("license_request")
        constraints = [
            *_common_constraints("license_request"),
            models.UniqueConstraint(
                fields=["user", "customer"],
                condition=Q(state__in=OPEN),
                name="license_request_open_once",
            ),
            models.CheckConstraint(
                condition=Q(state=RequestState.FULFILLED, license__isnull=False)
                | (~Q(state=RequestState.FULFILLED) & Q(license=None)),
                name="license_request_fulfilled_has_license",
            ),
        ]
        permissions = [("review_subsidy_requests", "Can approve and decline requests")]

    def __str__(self) -> str:
        return str(self.uuid)


class Coupon(TimeStampedModel):
    """A customer's pool of codes, each of which pays for one course."""

    customer = models.ForeignKey(
        "licenses.Customer", on_delete=models.PROTECT, related_name="coupons"
    )
    title = models.CharField(max_length=255)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)

    history = history_records()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "title"], name="coupon_title_once")
        ]

    def __str__(self) -> str:
        return self.title


class CouponCode(models.Model):
    """One code of a pool; `source_request_uuid` is the request that took it."""

    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="codes")
    code = models.CharField(max_length=128)
    source_request_uuid = models.UUIDField(null=True, blank=True, unique=True)
    assigned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["coupon", "code"], name="coupon_code_once"),
            models.CheckConstraint(
                condition=Q(source_request_uuid=None, assigned_at=None)
                | Q(source_request_uuid__isnull=False, assigned_at__isnull=False),
                name="coupon_code_assigned_has_date",
            ),
            models.CheckConstraint(condition=~Q(code=""), name="coupon_code_not_empty"),
        ]
        indexes = [
            models.Index(
                fields=["coupon", "id"],
                condition=Q(source_request_uuid=None),
                name="coupon_code_free",
            )
        ]

    def __str__(self) -> str:
        return f"code {self.pk} of coupon {self.coupon_id}"


class CouponCodeRequest(SubsidyRequest):
    """One open request of a learner, a customer and a course at a time."""

    coupon = models.ForeignKey(
        Coupon, on_delete=models.PROTECT, null=True, blank=True, related_name="requests"
    )
    coupon_code = models.OneToOneField(
        CouponCode, on_delete=models.PROTECT, null=True, blank=True, related_name="request"
    )

    history = history_records(history_id_field=models.BigAutoField())

    class Meta:
        verbose_name = _("coupon code request")
        indexes = _common_indexes("code_request")
        constraints = [
            *_common_constraints("coupon_code_request"),
            models.UniqueConstraint(
                fields=["user", "customer", "course_id"],
                condition=Q(state__in=OPEN),
                name="coupon_code_request_open_once",
            ),
            models.CheckConstraint(
                condition=Q(state=RequestState.FULFILLED, coupon_code__isnull=False)
                | (~Q(state=RequestState.FULFILLED) & Q(coupon_code=None)),
                name="coupon_code_request_fulfilled_has_code",
            ),
            models.CheckConstraint(
                condition=~Q(course_id=""), name="coupon_code_request_has_course"
            ),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


REQUESTS_OF: dict[SubsidyType, type[Any]] = {
    SubsidyType.LICENSE: LicenseRequest,
    SubsidyType.COUPON: CouponCodeRequest,
}
"""The requests for each thing that a customer may offer."""
