"""How the seats of a plan stand."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from licenses.enums import LIVE, LicenseStatus, NotificationType
from licenses.models import License


def seats_in_use(plan_id: int) -> int:
    """What the customer bought and has: every license but the revoked ones, each of which was
    replaced."""
    return (
        License.objects.filter(subscription_plan_id=plan_id)
        .exclude(status=LicenseStatus.REVOKED)
        .count()
    )


@dataclass(frozen=True)
class UseOfSeats:
    held: int
    total: int

    @property
    def notification(self) -> NotificationType | None:
        """What administrators should know about it: that all are held, or three quarters."""
        if not self.total:
            return None
        if self.held >= self.total:
            return NotificationType.NONE_LEFT
        return NotificationType.LIMITED if self.held * 4 >= self.total * 3 else None


def use_of_seats(plan_id: int) -> UseOfSeats:
    counts = License.objects.filter(subscription_plan_id=plan_id).aggregate(
        held=Count("pk", filter=Q(status__in=LIVE)),
        total=Count("pk", filter=~Q(status=LicenseStatus.REVOKED)),
    )
    return UseOfSeats(**counts)


def seats_to_activate() -> QuerySet[License]:
    """Seats that were given to learners who have not activated them."""
    return License.objects.filter(status=LicenseStatus.ASSIGNED)


def activation_link(activation_key: UUID | None) -> str:
    """Where the learner who was given this key activates the license; empty without a key."""
    if activation_key is None:
        return ""
    return f"{settings.PORTAL_BASE_URL}{reverse('activate_license', args=[activation_key])}"
