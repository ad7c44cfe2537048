"""Runs over many letters, what they found, and the queue of learners to look at again."""

from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.core.history import history_records
from letters.enums import (
    RULESET_VERSION,
    Against,
    LetterState,
    Outcome,
    PlannedAction,
    RunKind,
    RunStatus,
    Verdict,
)


class ProgramLetterConfiguration(TimeStampedModel):
    """What a program sets about its letters, and the row that whoever changes them
    automatically locks first, so that the breaker counts right."""

    program = models.OneToOneField(
        "programs.Program", on_delete=models.PROTECT, related_name="letter_configuration"
    )
    breaker_limit = models.PositiveIntegerField(
        _("breaker"),
        null=True,
        blank=True,
        help_text=_(
            "How many letters the portal may issue, or suspend, by itself within 24 hours; "
            "beyond that staff must release them. Empty: the portal's default."
        ),
    )
    mail_on_issue = models.BooleanField(
        _("tell learners by mail when their letter is there"),
        default=False,
        help_text=_("For each new letter that its holder can open at once."),
    )

    history = history_records()

    def __str__(self) -> str:
        return f"letters of program {self.program_id}"


class LetterValidationRun(models.Model):
    """A plan, its application and its rollback; or a run that a breaker stopped halfway."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=16, choices=RunKind.choices)
    status = models.CharField(max_length=16, choices=RunStatus.choices, default=RunStatus.RUNNING)
    against = models.CharField(max_length=16, choices=Against.choices, default=Against.ISSUE)
    as_of = models.DateTimeField()
    scope = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    ruleset_version = models.PositiveSmallIntegerField(default=RULESET_VERSION)
    counters = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    approval_reason = models.TextField(blank=True)

    class Meta:
        verbose_name = _("run over letters")
        verbose_name_plural = _("runs over letters")
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return str(self.uuid)


class LetterValidationResult(models.Model):
    """What a plan says of one letter, and what became of it."""

    run = models.ForeignKey(LetterValidationRun, on_delete=models.CASCADE, related_name="results")
    letter = models.ForeignKey(
        "letters.ProgramLetter", on_delete=models.PROTECT, related_name="results"
    )
    letter_version = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=LetterState.choices)
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    failed_checks = ArrayField(models.CharField(max_length=300), default=list)
    planned_action = models.CharField(max_length=16, choices=PlannedAction.choices)
    outcome = models.CharField(
        max_length=16, choices=Outcome.choices, default=Outcome.OPEN, blank=True
    )
    applied_version = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "letter"], name="letter_result_once_per_run")
        ]
        indexes = [
            models.Index(
                fields=["run", "letter"],
                condition=Q(outcome=Outcome.OPEN) & ~Q(planned_action=PlannedAction.NONE),
                name="letter_result_to_apply",
            )
        ]

    def __str__(self) -> str:
        return f"{self.verdict}: {self.planned_action}"


class LetterRevalidation(models.Model):
    """A learner whose letter must be looked at: one open row per learner and program.

    The row stays while a suspension waits for its grace, counted from `opened_at`, and while a
    breaker holds it (`held_by`, with no `due_at`). `version` goes up with every further event, so that closing
    the row never swallows one that arrived meanwhile.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="letter_revalidations"
    )
    program = models.ForeignKey(
        "programs.Program", on_delete=models.PROTECT, related_name="letter_revalidations"
    )
    version = models.PositiveIntegerField(default=1)
    cause = models.CharField(max_length=100, blank=True)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    held_by = models.ForeignKey(
        LetterValidationRun,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="held_revalidations",
    )

    class Meta:
        verbose_name = _("letter to look at again")
        verbose_name_plural = _("letters to look at again")
        constraints = [
            models.UniqueConstraint(fields=["user", "program"], name="letter_revalidation_once")
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(due_at__isnull=False),
                name="letter_revalidation_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in program {self.program_id}"
