"""Links to a program record: the learner's own, and one for each institution that was asked."""

from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.core.history import history_records
from programs.enums import ShareEnd, ShareKind
from programs.models.catalog import Program


class SharedProgramRecordQuerySet(models.QuerySet["SharedProgramRecord"]):
    def live(self, at: datetime) -> "SharedProgramRecordQuerySet":
        """Those that open the record at `at`: neither revoked nor expired."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=at)
        return self.filter(unexpired, revoked_at=None)

    def expired(self, at: datetime) -> "SharedProgramRecordQuerySet":
        """Those that are dead because their time was over, and are not marked as ended yet."""
        return self.filter(expires_at__lte=at, revoked_at=None)


class SharedProgramRecord(TimeStampedModel):
    """A link that shows a learner's live record to whoever has its `uuid`.

    The older service's `ProgramCertRecord`, whose uuids stay valid. A learner has one link of
    their own for a program at a time; a dead one never lives again.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="shared_program_records"
    )
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="shared_records")
    kind = models.CharField(max_length=16, choices=ShareKind.choices, default=ShareKind.LINK)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    show_email = models.BooleanField(_("shows the e-mail address"), default=False)
    show_username = models.BooleanField(_("shows the username"), default=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    end = models.CharField(_("why it is dead"), max_length=16, choices=ShareEnd.choices, blank=True)

    history = history_records()

    objects = SharedProgramRecordQuerySet.as_manager()

    class Meta:
        ordering = ["-created", "-pk"]
        verbose_name = _("shared program record")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=ShareKind.values), name="shared_program_record_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, end="")
                | Q(revoked_at__isnull=False, end__in=ShareEnd.values),
                name="shared_program_record_end_is_dated",
            ),
            models.UniqueConstraint(
                fields=["user", "program"],
                condition=Q(kind=ShareKind.LINK, revoked_at=None),
                name="shared_program_record_link_once",
            ),
        ]

    def is_live(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)

    def __str__(self) -> str:
        return str(self.uuid)


class SharedRecordViewCount(models.Model):
    """How often a link was opened on a day; nothing about who did, and not by the learner."""

    shared_record = models.ForeignKey(
        SharedProgramRecord, on_delete=models.PROTECT, related_name="view_counts"
    )
    day = models.DateField()
    views = models.PositiveIntegerField(default=1)
    last_viewed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["shared_record", "day"], name="shared_record_views_once_per_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.views}"
