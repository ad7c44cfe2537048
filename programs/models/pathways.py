"""Credit pathways, and learners' requests to the institutions behind them."""

from uuid import uuid4

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.core.history import history_records
from programs.enums import (
    LISTED,
    CreditAnswer,
    CreditRequestSource,
    CreditRequestStatus,
    PathwayStatus,
    PathwayType,
)
from programs.models.catalog import Program
from programs.models.records import SharedProgramRecord

MAX_NOTE = 2_000


class PathwayQuerySet(models.QuerySet["Pathway"]):
    def taking_requests_about(self, program_id: int) -> "PathwayQuerySet":
        """Published credit pathways with an address that take this active or retired program."""
        return self.filter(
            pathway_type=PathwayType.CREDIT,
            status=PathwayStatus.PUBLISHED,
            links__program_id=program_id,
            links__program__status__in=LISTED,
        ).exclude(email="")


class Pathway(TimeStampedModel):
    """A way from a program to credit at an institution, which reads `email`.

    Only a published credit pathway with an address takes requests. `cooldown_days` (None: off)
    is how long the same learner waits before asking again about a record that has not changed.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=255)
    org_name = models.CharField(_("institution"), max_length=255)
    contact_name = models.CharField(_("contact"), max_length=255, blank=True)
    email = models.EmailField(_("e-mail address"), blank=True)
    pathway_type = models.CharField(
        _("type"), max_length=32, choices=PathwayType.choices, default=PathwayType.CREDIT
    )
    status = models.CharField(
        max_length=24, choices=PathwayStatus.choices, default=PathwayStatus.PUBLISHED
    )
    programs = models.ManyToManyField(Program, through="PathwayProgram", related_name="pathways")
    requires_completion = models.BooleanField(_("takes completed programs only"), default=False)
    cooldown_days = models.PositiveSmallIntegerField(
        _("days before the same request again"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Empty: learners may ask again at any time."),
    )
    consent_text = models.TextField(
        blank=True, help_text=_("Empty: the portal's own. Learners agree to these words.")
    )

    history = history_records()

    objects = PathwayQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(pathway_type__in=PathwayType.values), name="pathway_type_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=PathwayStatus.values), name="pathway_status_known"
            ),
            models.CheckConstraint(
                condition=Q(cooldown_days=None) | Q(cooldown_days__gte=1),
                name="pathway_cooldown_is_a_day_or_more",
            ),
        ]

    @property
    def institution(self) -> str:
        """Who is asked; a catalog may name nobody but the pathway."""
        return self.org_name or self.name

    def __str__(self) -> str:
        return self.name


class PathwayProgram(models.Model):
    pathway = models.ForeignKey(Pathway, on_delete=models.CASCADE, related_name="links")
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="pathway_links")
    position = models.PositiveSmallIntegerField(default=0)

    history = history_records()

    class Meta:
        ordering = ["position"]
        verbose_name = _("program of a pathway")
        verbose_name_plural = _("programs of a pathway")
        constraints = [
            models.UniqueConstraint(
                fields=["pathway", "program"], name="pathway_takes_program_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.pathway_id}: {self.program_id}"


class UserCreditPathway(TimeStampedModel):
    """A learner asked an institution for credit, once. Asking again makes another row.

    `number` counts the requests of one learner to one pathway about one program. `program` is
    null only in rows of the older service, which did not know it. `consent_text` is what the
    learner agreed to; `record_fingerprint` tells whether the record has changed since.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="credit_requests"
    )
    pathway = models.ForeignKey(Pathway, on_delete=models.PROTECT, related_name="requests")
    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, null=True, blank=True, related_name="credit_requests"
    )
    number = models.PositiveIntegerField(default=1)
    shared_record = models.OneToOneField(
        SharedProgramRecord,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="credit_request",
    )
    status = models.CharField(
        max_length=16, choices=CreditRequestStatus.choices, default=CreditRequestStatus.QUEUED
    )
    source = models.CharField(max_length=16, choices=CreditRequestSource.choices)
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    on_behalf_reason = models.TextField(_("why staff asked for the learner"), blank=True)
    consent_text = models.TextField(blank=True)
    was_completed = models.BooleanField(_("the program was completed then"), null=True, blank=True)
    record_fingerprint = models.CharField(max_length=64, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(_("why it failed"), max_length=100, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=16, choices=CreditAnswer.choices, blank=True)
    answer_note = models.TextField(_("the institution's note"), blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    history = history_records()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        verbose_name = _("credit request")
        permissions = [
            ("request_credit_for_learner", "Can ask for credit on behalf of a learner"),
            ("view_credit_report", "Can see the report of credit requests"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=CreditRequestStatus.values),
                name="user_credit_pathway_status_known",
            ),
            models.CheckConstraint(
                condition=Q(source=CreditRequestSource.IMPORT)
                | Q(
                    program__isnull=False,
                    shared_record__isnull=False,
                    was_completed__isnull=False,
                ),
                name="user_credit_pathway_only_imported_lacks_program",
            ),
            models.CheckConstraint(
                condition=~Q(source=CreditRequestSource.STAFF)
                | (Q(requested_by__isnull=False) & ~Q(on_behalf_reason="")),
                name="user_credit_pathway_staff_say_why",
            ),
            models.CheckConstraint(
                condition=~Q(status=CreditRequestStatus.WITHDRAWN) | Q(withdrawn_at__isnull=False),
                name="user_credit_pathway_withdrawal_is_dated",
            ),
            models.CheckConstraint(
                condition=Q(answer="", answered_at=None)
                | Q(answer__in=CreditAnswer.values, answered_at__isnull=False),
                name="user_credit_pathway_answer_is_dated",
            ),
            models.UniqueConstraint(
                fields=["user", "pathway", "program", "number"],
                name="user_credit_pathway_number_once",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-requested_at"], name="user_credit_pathway_user"),
            models.Index(fields=["program", "requested_at"], name="user_credit_pathway_program"),
            models.Index(fields=["pathway", "requested_at"], name="user_credit_pathway_pathway"),
            models.Index(
                fields=["requested_at"],
                condition=Q(status=CreditRequestStatus.FAILED),
                name="user_credit_pathway_failed",
            ),
        ]

    def __str__(self) -> str:
        return str(self.uuid)
