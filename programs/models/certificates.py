"""Certificates of learners, and what an institution configures about them."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.core.history import history_records
from programs.enums import CertificateSource, CertificateStatus, RevocationKind
from programs.models.catalog import CourseRun, Program


def _revocation_is_dated(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(status=CertificateStatus.AWARDED)
        | Q(status=CertificateStatus.REVOKED, revoked_at__isnull=False),
        name=name,
    )


class CourseCertificateConfiguration(TimeStampedModel):
    """Which certificate a run awards, and from when learners see it."""

    course_run = models.ForeignKey(
        CourseRun, on_delete=models.PROTECT, related_name="certificate_configurations"
    )
    certificate_type = models.SlugField(max_length=32, default="verified")
    is_active = models.BooleanField(default=False)
    certificate_available_date = models.DateTimeField(null=True, blank=True)

    history = history_records()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["course_run", "certificate_type"],
                name="course_certificate_configuration_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.certificate_type} certificate of run {self.course_run_id}"


class ProgramCertificateConfiguration(TimeStampedModel):
    program = models.OneToOneField(
        Program, on_delete=models.PROTECT, related_name="certificate_configuration"
    )
    title = models.CharField(max_length=255, blank=True)
    is_active = models.BooleanField(default=False)
    use_org_name = models.BooleanField(default=False)
    include_hours_of_effort = models.BooleanField(default=False)
    language = models.CharField(max_length=8, blank=True)

    history = history_records()

    def __str__(self) -> str:
        return f"certificate of program {self.program_id}"


class CourseCertificate(TimeStampedModel):
    """A learner's certificate for a run. A revoked one voids that run's grade.

    `attributes` is a list of {"name", "value"} that the LMS keeps with it, each name once.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="course_certificates"
    )
    course_run = models.ForeignKey(CourseRun, on_delete=models.PROTECT, related_name="certificates")
    mode = models.SlugField(max_length=100, default="verified")
    status = models.CharField(
        max_length=16, choices=CertificateStatus.choices, default=CertificateStatus.AWARDED
    )
    source = models.CharField(
        max_length=16, choices=CertificateSource.choices, default=CertificateSource.LMS
    )
    awarded_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    date_override = models.DateTimeField(_("date shown instead"), null=True, blank=True)
    attributes = models.JSONField(default=list, blank=True)

    history = history_records()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "course_run"], name="course_certificate_once"),
            _revocation_is_dated("course_certificate_revocation_is_dated"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class ProgramCertificate(TimeStampedModel):
    """A learner's certificate for a program; `award_program_certificates` owns computed ones.

    `revocation_kind` is `not_complete` where the portal revoked it; only then may the portal
    award it again. `revocation_reason` is what somebody wrote about any other revocation.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="program_certificates"
    )
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="certificates")
    status = models.CharField(
        max_length=16, choices=CertificateStatus.choices, default=CertificateStatus.AWARDED
    )
    source = models.CharField(max_length=16, choices=CertificateSource.choices)
    awarded_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revocation_kind = models.CharField(
        _("why it was revoked"), max_length=16, choices=RevocationKind.choices, blank=True
    )
    revocation_reason = models.TextField(_("reason of revocation"), blank=True)
    attributes = models.JSONField(default=list, blank=True)

    history = history_records()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "program"], name="program_certificate_once"),
            _revocation_is_dated("program_certificate_revocation_is_dated"),
            models.CheckConstraint(
                condition=Q(status=CertificateStatus.AWARDED, revocation_kind="")
                | Q(
                    status=CertificateStatus.REVOKED,
                    revocation_kind__in=RevocationKind.values,
                ),
                name="program_certificate_revocation_has_kind",
            ),
        ]

    def __str__(self) -> str:
        return str(self.uuid)
