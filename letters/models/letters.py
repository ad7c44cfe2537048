"""Letters, the audit of every change of one, and what people waived."""

from datetime import date, datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from letters.documents import day_of
from letters.enums import (
    RULESET_VERSION,
    UNWAIVABLE_CHECKS,
    IssuedVia,
    LetterAction,
    LetterState,
    TemplateStatus,
    Viewer,
    describe_reason,
)
from letters.models.runs import LetterValidationRun
from letters.models.templates import ProgramLetterTemplate


def _person(**kwargs: Any) -> "models.ForeignKey[Any, Any]":
    """Who did something; null: the system."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        **kwargs,
    )


SHOWN = Q(state=LetterState.ACTIVE, content_revision__status=TemplateStatus.PUBLISHED)
"""Letters whose page, PDF and verification the public gets: valid ones with a published text."""


class ProgramLetterQuerySet(models.QuerySet["ProgramLetter"]):
    def shown(self) -> "ProgramLetterQuerySet":
        return self.filter(SHOWN)

    def with_visibility(self) -> "ProgramLetterQuerySet":
        """Annotate `is_shown`: whether the letter's page answers the public."""
        return self.annotate(
            is_shown=Case(When(SHOWN, then=True), default=False, output_field=models.BooleanField())
        )

    def visible_to(self, user: Any) -> "ProgramLetterQuerySet":
        """Letters of which this user may know: staff and services with the permission of all,
        learners of their own, but for those that wait for release."""
        if user.has_perm("letters.view_programletter"):
            return self
        return self.filter(user_id=user.pk).exclude(state=LetterState.PENDING)


class ProgramLetter(TimeStampedModel):
    """A program letter of one learner. Its row and its uuid live for ever.

    Only `letters.services` writes letters. The database refuses at commit a letter whose newest
    `version` has no `LetterEvent` with the same state, an active letter without grounds, and
    any deletion (migration 0002).
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="program_letters"
    )
    program = models.ForeignKey(
        "programs.Program", on_delete=models.PROTECT, related_name="letters"
    )
    version = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=16, choices=LetterState.choices)
    state_reason = models.CharField(max_length=300, blank=True)
    state_note = models.TextField(blank=True)
    state_changed_at = models.DateTimeField()
    state_changed_by = _person()

    issued_at = models.DateTimeField(null=True, blank=True)
    issued_via = models.CharField(max_length=16, choices=IssuedVia.choices)
    issued_by = _person()
    issue_run = models.ForeignKey(
        LetterValidationRun,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="issued_letters",
    )
    requirements_version = models.ForeignKey(
        "programs.ProgramRequirementsVersion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    ruleset_version = models.PositiveSmallIntegerField(default=RULESET_VERSION)
    evidence = models.JSONField(default=dict, blank=True)
    content_revision = models.ForeignKey(
        ProgramLetterTemplate,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="letters",
    )
    recipient_name = models.CharField(max_length=255, blank=True)
    first_visible_at = models.DateTimeField(null=True, blank=True)
    told_withdrawn_at = models.DateTimeField(null=True, blank=True)

    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = _person()
    revocation_reason = models.TextField(blank=True)
    reinstated_at = models.DateTimeField(null=True, blank=True)
    reinstated_by = _person()

    objects = ProgramLetterQuerySet.as_manager()

    class Meta:
        verbose_name = _("program letter")
        indexes = [
            models.Index(fields=["program", "state"], name="letter_program_state"),
            models.Index(fields=["issued_at"], name="letter_issued_at"),
            # Other systems ask for what changed since they asked last.
            models.Index(fields=["modified"], name="letter_modified"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "program"], name="letter_once_per_learner_and_program"
            ),
            models.CheckConstraint(
                condition=Q(state__in=LetterState.values), name="letter_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=LetterState.REVOKED)
                | (Q(revoked_at__isnull=False) & ~Q(revocation_reason="")),
                name="letter_revoked_with_date_and_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state=LetterState.ACTIVE) | Q(issued_at__isnull=False),
                name="letter_active_has_issue_date",
            ),
            models.CheckConstraint(
                condition=~Q(state=LetterState.ACTIVE)
                | Q(issued_via=IssuedVia.IMPORT)
                | (Q(requirements_version__isnull=False) & ~Q(evidence={})),
                name="letter_active_has_grounds",
            ),
        ]
        permissions = [
            ("revoke_letter", "Can revoke letters"),
            ("reinstate_letter", "Can reinstate letters"),
            ("release_letters", "Can release what a breaker holds"),
            ("refresh_letter", "Can bring the name and the text of letters up to date"),
            ("apply_letter_plan", "Can apply and roll back validation plans"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)

    @property
    def issued_on(self) -> date | None:
        """The day that the letter prints."""
        return self.issued_at and day_of(self.issued_at)

    @property
    def reason_in_words(self) -> str:
        """Why the letter is in its state; empty where nothing needs a reason."""
        return describe_reason(self.state_reason)


class LetterEvent(models.Model):
    """One change of one letter: append-only, exactly one per version of the letter.

    `before` holds the old values of what changed, so that a run can be rolled back.
    `automatic` ones, decided by the portal, count towards the breaker.
    """

    letter = models.ForeignKey(ProgramLetter, on_delete=models.PROTECT, related_name="events")
    letter_version = models.PositiveIntegerField()
    action = models.CharField(max_length=16, choices=LetterAction.choices)
    from_state = models.CharField(max_length=16, choices=LetterState.choices, blank=True)
    to_state = models.CharField(max_length=16, choices=LetterState.choices)
    reason = models.CharField(max_length=300, blank=True)
    note = models.TextField(blank=True)
    failed_checks = models.JSONField(default=list, blank=True)
    before = models.JSONField(default=dict, blank=True)
    automatic = models.BooleanField(default=False)
    actor = _person()
    cause = models.CharField(max_length=100, blank=True)
    run = models.ForeignKey(
        LetterValidationRun,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="events",
    )
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("event of a letter")
        ordering = ["letter", "letter_version"]
        indexes = [
            models.Index(
                fields=["at"], condition=Q(automatic=True), name="letter_event_automatic_at"
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["letter", "letter_version"], name="letter_event_once_per_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.at:%Y-%m-%d}"


class LetterWaiverQuerySet(models.QuerySet["LetterWaiver"]):
    def in_force(self, at: datetime) -> "LetterWaiverQuerySet":
        return self.filter(
            Q(expires_at=None) | Q(expires_at__gt=at), granted_at__lte=at, withdrawn_at=None
        )


class LetterWaiver(models.Model):
    """A person's word that a named check does not apply to this learner."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="letter_waivers"
    )
    program = models.ForeignKey(
        "programs.Program", on_delete=models.PROTECT, related_name="letter_waivers"
    )
    code = models.CharField(_("check"), max_length=300)
    reason = models.TextField()
    granted_by = _person()
    granted_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = _person()

    objects = LetterWaiverQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "program", "code"],
                condition=Q(withdrawn_at=None),
                name="letter_waiver_once",
            ),
            models.CheckConstraint(
                condition=~Q(code__in=UNWAIVABLE_CHECKS), name="letter_waiver_allowed"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="letter_waiver_has_reason"),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("granted_at")),
                name="letter_waiver_expires_after_grant",
            ),
        ]
        permissions = [("waive_letter_check", "Can waive checks of letters")]

    def __str__(self) -> str:
        return self.code


class LetterViewCount(models.Model):
    """How often a letter was opened on a day, by kind of viewer; nothing about who it was."""

    letter = models.ForeignKey(ProgramLetter, on_delete=models.PROTECT, related_name="view_counts")
    day = models.DateField()
    viewer = models.CharField(max_length=8, choices=Viewer.choices)
    views = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["letter", "day", "viewer"], name="letter_views_once_per_day_and_viewer"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.views} ({self.viewer})"
