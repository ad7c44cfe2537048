from dataclasses import replace
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.history import Attribution
from programs import services
from programs.admin.staff import EarnedByLearners, by_staff, reason_field
from programs.enums import CertificateSource, CertificateStatus
from programs.models import CourseCertificate, ProgramCertificate


class AwardForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    reason = reason_field()

    class Meta:
        model = CourseCertificate
        fields = ("user", "course_run", "mode", "awarded_at")


@admin.register(CourseCertificate)
class CourseCertificateAdmin(EarnedByLearners):
    """Certificates are awarded and revoked with a reason; a revoked one voids the run's grade."""

    form = AwardForm
    list_display = ("user", "course_run", "mode", "status", "source", "awarded_at", "revoked_at")
    list_select_related = ("user", "course_run")
    list_filter = ("status", "source")
    autocomplete_fields = ("user", "course_run")
    actions = ("award", "revoke")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("programs.add_coursecertificate")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("programs.change_coursecertificate")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        given = ("user", "course_run", "mode", "awarded_at")
        kept = ("status", "source", "revoked_at", "date_override", "told", "uuid")
        return (*given, *kept) if obj else (*given, "reason")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.get_fields(request, obj) if obj else ()

    @admin.display(description=_("Attributes"))
    def told(self, certificate: CourseCertificate) -> str:
        return _attributes(certificate)

    def save_model(
        self, request: HttpRequest, obj: CourseCertificate, form: Any, change: bool
    ) -> None:
        record = replace(_record(obj), source=CertificateSource.STAFF)
        services.record_course_certificates(
            [record], by=by_staff(request, form.cleaned_data["reason"])
        )
        obj.pk = CourseCertificate.objects.get(user=obj.user_id, course_run=obj.course_run_id).pk

    @admin.action(description=_("Award again"), permissions=["decide"])
    def award(
        self, request: HttpRequest, queryset: QuerySet[CourseCertificate]
    ) -> HttpResponse | None:
        return self.decide(
            request,
            queryset.select_related("user", "course_run"),
            _award,
            title=_("Award certificates"),
            consequence=_("These certificates are awarded, and meet their courses."),
        )

    @admin.action(description=_("Revoke"), permissions=["decide"])
    def revoke(
        self, request: HttpRequest, queryset: QuerySet[CourseCertificate]
    ) -> HttpResponse | None:
        return self.decide(
            request,
            queryset.select_related("user", "course_run"),
            _revoke,
            title=_("Revoke certificates"),
            consequence=_(
                "These certificates are revoked, and the grades of their runs count no longer."
                " Letters that rest on them are judged again."
            ),
        )


def _attributes(certificate: CourseCertificate | ProgramCertificate) -> str:
    """What a service keeps with the certificate, as `name: value`."""
    return "; ".join(f"{one['name']}: {one['value']}" for one in certificate.attributes)


def _record(certificate: CourseCertificate) -> services.CertificateRecord:
    return services.CertificateRecord(
        user_id=certificate.user_id,
        course_run_id=certificate.course_run_id,
        awarded_at=certificate.awarded_at,
        mode=certificate.mode,
    )


def _award(certificates: list[CourseCertificate], by: Attribution) -> int:
    return services.record_course_certificates(
        [replace(_record(row), source=CertificateSource(row.source)) for row in certificates], by=by
    )


def _revoke(certificates: list[CourseCertificate], by: Attribution) -> int:
    revoked = CertificateStatus.REVOKED
    return services.record_course_certificates(
        [
            replace(_record(row), source=CertificateSource(row.source), status=revoked)
            for row in certificates
        ],
        by=by,
    )


@admin.register(ProgramCertificate)
class ProgramCertificateAdmin(EarnedByLearners):
    """Certificates are awarded by `award_program_certificates`; staff may revoke."""

    list_display = ("user", "program", "status", "source", "awarded_at", "revoked_at")
    list_select_related = ("user", "program")
    list_filter = ("status", "source")
    fields = (
        *("user", "program", "status", "source", "awarded_at"),
        *("revoked_at", "revocation_kind", "revocation_reason", "told", "uuid"),
    )
    readonly_fields = ("told", "uuid")
    actions = ("revoke",)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("programs.change_programcertificate")

    @admin.display(description=_("Attributes"))
    def told(self, certificate: ProgramCertificate) -> str:
        return _attributes(certificate)

    @admin.action(description=_("Revoke"), permissions=["decide"])
    def revoke(
        self, request: HttpRequest, queryset: QuerySet[ProgramCertificate]
    ) -> HttpResponse | None:
        return self.decide(
            request,
            queryset.select_related("user", "program").order_by("program_id", "user_id"),
            _revoke_program_certificates,
            title=_("Revoke certificates"),
            consequence=_(
                "These certificates are revoked, and the portal never awards them again."
            ),
        )


def _revoke_program_certificates(certificates: list[ProgramCertificate], by: Attribution) -> int:
    revoked = 0
    for program, rows in groupby(certificates, key=lambda row: row.program):
        user_ids = [row.user_id for row in rows]
        revoked += len(
            services.revoke_program_certificates(
                program=program, user_ids=user_ids, reason=by.reason, by=by
            )
        )
    return revoked
