from typing import Any, ClassVar
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


class UserQuerySet(models.QuerySet["User"]):
    def by_login(self, login: str) -> "UserQuerySet":
        """The person with this username, or, failing case and form, this e-mail address."""
        # In the words of the index; an empty address is nobody's.
        has_address = Q(folded_email=normalise_email(login)) & ~Q(email="")
        return self.alias(folded_email=Lower("email")).filter(Q(username=login) | has_address)

    def named(self, username: str) -> "UserQuerySet":
        """The people whose username this is in any case, whoever writes it just so first.

        An LMS knows no two usernames that differ in nothing else; the portal may.
        """
        folded = Lower(Value(username))
        is_exact = Case(When(username=username, then=0), default=1)
        return self.alias(folded=Lower("username")).filter(folded=folded).order_by(is_exact, "pk")

    def identifiable(self) -> "UserQuerySet":
        """People whom a document may name: present, active, and with a name."""
        return self.filter(is_active=True, retired_at=None).exclude(full_name="")


class PortalUserManager(UserManager["User"].from_queryset(UserQuerySet)):  # type: ignore[misc]  # a base made at run time
    """Django's own creation methods on our QuerySet."""

    # Migrations import no app.
    use_in_migrations = False


class User(AbstractUser):
    """A person: learner, staff, administrator or the identity of a service.

    `email` is normalised when saved, and unique where it is not empty. `lms_user_id` is the
    person's primary key in the LMS.
    """

    full_name = models.CharField(_("full name"), max_length=255, blank=True)
    email = models.EmailField(_("email address"), blank=True)
    lms_user_id = models.PositiveBigIntegerField(_("LMS user id"), null=True, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True, editable=False)

    objects: ClassVar[PortalUserManager] = PortalUserManager()

    class Meta(AbstractUser.Meta):
        permissions = [("retire_user", "Can erase a person, for good")]
        indexes = [models.Index(Lower("username"), name="user_username_lower")]
        constraints = [
            models.UniqueConstraint(
                Lower("email"), condition=~Q(email=""), name="user_email_unique"
            ),
            models.UniqueConstraint(
                F("lms_user_id"), condition=Q(lms_user_id__isnull=False), name="user_lms_id_unique"
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = normalise_email(self.email)
        super().save(*args, **kwargs)

    def get_full_name(self) -> str:
        return self.full_name or super().get_full_name() or self.username

    @property
    def zone(self) -> ZoneInfo | None:
        """Where the person's clock is; None: nobody knows."""
        is_known = self.time_zone in available_timezones()
        return ZoneInfo(self.time_zone) if is_known else None

    @property
    def is_retired(self) -> bool:
        return self.retired_at is not None

    def __str__(self) -> str:
        return self.username


def normalise_email(address: str) -> str:
    """The form in which addresses are stored and compared."""
    return address.strip().lower()
