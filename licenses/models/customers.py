"""Who buys seats, on which terms, and which people belong to them."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Exists, Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.accounts.models import User, normalise_email
from credentials_portal.core.history import history_records
from licenses.enums import CustomerRole, LinkStatus
from licenses.markup import clean_markup, words_of

MANAGE_ANY = "licenses.manage_any_customer"
VIEW_ANY = "licenses.view_license"
PERMISSIONS_BACKEND = "django.contrib.auth.backends.ModelBackend"


class CustomerQuerySet(models.QuerySet["Customer"]):
    """Whose customers these are is said in the statement itself, which costs no further one."""

    def administered_by(self, user: Any) -> "CustomerQuerySet":
        """Customers whose seats this user sees: their administrators', and all for staff and
        services with one of the permissions `MANAGE_ANY` and `VIEW_ANY`."""
        own = CustomerLearner.objects.links_of(user).filter(role=CustomerRole.ADMIN)
        return self.filter(sees_all(user) | _has(own))

    def visible_to(self, user: Any) -> "CustomerQuerySet":
        """Those, and the customers to which this user is linked in any role."""
        own = CustomerLearner.objects.links_of(user)
        return self.filter(sees_all(user) | _has(own))


class Customer(TimeStampedModel):
    """An organization that buys access for its people: the tenant of licenses and requests."""

    uuid = models.UUIDField(default=uuid4, unique=True)
    slug = models.SlugField(max_length=128, unique=True)
    name = models.CharField(max_length=255)

    objects = CustomerQuerySet.as_manager()
    history = history_records()

    class Meta:
        ordering = ["name"]
        permissions = [("manage_any_customer", "Can act as an administrator of every customer")]

    def __str__(self) -> str:
        return self.name


class CustomerAgreementQuerySet(models.QuerySet["CustomerAgreement"]):
    def visible_to(self, user: Any) -> "CustomerAgreementQuerySet":
        return self.filter(customer__in=Customer.objects.visible_to(user))


class CustomerAgreement(TimeStampedModel):
    """On which terms a customer has its plans. A customer with coupon codes only has none."""

    uuid = models.UUIDField(default=uuid4, unique=True)
    customer = models.OneToOneField(Customer, on_delete=models.PROTECT, related_name="agreement")
    default_enterprise_catalog_uuid = models.UUIDField(null=True, blank=True)
    disable_expiration_notifications = models.BooleanField(default=False)
    disable_onboarding_notifications = models.BooleanField(default=False)
    license_duration_before_purge = models.DurationField(
        default=timedelta(days=90),
        help_text=_("How long personal data stays after a plan ended or a license was revoked."),
    )
    enable_auto_applied_subscriptions_with_universal_link = models.BooleanField(default=False)

    has_custom_license_expiration_messaging = models.BooleanField(default=False)
    modal_header_text = models.CharField(max_length=512, blank=True)
    expired_subscription_modal_messaging = models.TextField(blank=True)
    button_label_in_modal = models.CharField(max_length=255, blank=True)
    url_for_button_in_modal = models.URLField(max_length=512, blank=True)

    unlink_expired_enabled = models.BooleanField(
        _("unlink learners of expired plans"), default=False
    )
    unlink_after_days = models.PositiveIntegerField(default=90, validators=[MinValueValidator(1)])
    unlink_is_relinkable = models.BooleanField(default=True)

    objects = CustomerAgreementQuerySet.as_manager()
    history = history_records()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(unlink_after_days__gte=1), name="agreement_unlinks_after_a_day_or_more"
            ),
            models.CheckConstraint(
                condition=Q(
                    ~Q(modal_header_text=""),
                    ~Q(expired_subscription_modal_messaging=""),
                    ~Q(button_label_in_modal=""),
                    ~Q(url_for_button_in_modal=""),
                    has_custom_license_expiration_messaging=True,
                )
                | Q(
                    has_custom_license_expiration_messaging=False,
                    modal_header_text="",
                    expired_subscription_modal_messaging="",
                    button_label_in_modal="",
                    url_for_button_in_modal="",
                ),
                name="agreement_messaging_all_or_nothing",
            ),
        ]

    def __str__(self) -> str:
        return str(self.customer)

    @property
    def words_about_the_end(self) -> str:
        return words_of(self.expired_subscription_modal_messaging)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        super().clean_fields(exclude)
        self.expired_subscription_modal_messaging = clean_markup(
            self.expired_subscription_modal_messaging
        )


class CustomerLearnerQuerySet(models.QuerySet["CustomerLearner"]):
    def links_of(self, user: Any) -> "CustomerLearnerQuerySet":
        """The links that this user has now, by account or by an address that is theirs alone."""
        by_address = Q(user=None, user_email=normalise_email(user.email)) & ~Q(user_email="")
        return self.filter(Q(user_id=user.pk) | by_address, status=LinkStatus.LINKED)


class CustomerLearner(TimeStampedModel):
    """A person's link to a customer, known by account or, until there is one, by address."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="learners")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="customer_links",
    )
    user_email = models.EmailField(blank=True, help_text=_("In lower case."))
    role = models.CharField(
        max_length=16, choices=CustomerRole.choices, default=CustomerRole.LEARNER
    )
    status = models.CharField(max_length=16, choices=LinkStatus.choices, default=LinkStatus.LINKED)
    is_relinkable = models.BooleanField(default=True)
    linked_at = models.DateTimeField()
    unlinked_at = models.DateTimeField(null=True, blank=True)

    objects = CustomerLearnerQuerySet.as_manager()
    history = history_records(history_id_field=models.BigAutoField())

    class Meta:
        indexes = [models.Index(fields=["user_email"], name="customer_learner_email")]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "user", "role"],
                condition=Q(user__isnull=False),
                name="customer_learner_once_by_user",
            ),
            models.UniqueConstraint(
                fields=["customer", "user_email", "role"],
                condition=~Q(user_email=""),
                name="customer_learner_once_by_email",
            ),
            models.CheckConstraint(
                condition=Q(status=LinkStatus.LINKED)
                | Q(status=LinkStatus.UNLINKED, unlinked_at__isnull=False),
                name="customer_learner_unlinked_with_date",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} of customer {self.customer_id}"


def sees_all(user: Any) -> Q:
    """Whether this user sees every customer, whatever row is asked."""
    may = Q(pk__in=[])
    for permission in (MANAGE_ANY, VIEW_ANY):
        holders = User.objects.with_perm(permission, backend=PERMISSIONS_BACKEND)
        may |= Q(Exists(holders.filter(pk=user.pk)))
    return may


def _has(links: CustomerLearnerQuerySet) -> Q:
    return Q(pk__in=links.values("customer"))
