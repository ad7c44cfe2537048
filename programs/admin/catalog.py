from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.admin import TabularInline

from programs import services
from programs.admin.staff import EditedByStaff, by_staff
from programs.models import (
    Course,
    CourseCertificateConfiguration,
    CourseMode,
    CourseOwner,
    CourseRun,
    Organization,
    ProgramCertificateConfiguration,
)


class PartOfParent(TabularInline):
    """Rows that belong to the one above: whoever may change them may take them away."""

    extra = 0

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.has_change_permission(request, obj))


class CourseOwnerInline(PartOfParent):
    model = CourseOwner
    autocomplete_fields = ("organization",)


class CourseModeInline(PartOfParent):
    model = CourseMode


@admin.register(Organization)
class OrganizationAdmin(EditedByStaff):
    list_display = ("name", "key")
    search_fields = ("name", "key")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, models.URLField):
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Course)
class CourseAdmin(EditedByStaff):
    list_display = ("title", "key")
    search_fields = ("title", "key")
    inlines: ClassVar = (CourseOwnerInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Checks are named by the key, and with them verdicts and waivers."""
        return ("key",) if obj else ()


@admin.register(CourseRun)
class CourseRunAdmin(EditedByStaff):
    list_display = ("key", "course", "start_date", "end_date", "passing_grade")
    list_select_related = ("course",)
    search_fields = ("key", "course__title")
    autocomplete_fields = ("course",)
    inlines: ClassVar = (CourseModeInline,)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        services.save_course_run(obj, by=by_staff(request))


@admin.register(CourseCertificateConfiguration)
class CourseCertificateConfigurationAdmin(EditedByStaff):
    list_display = ("course_run", "certificate_type", "is_active", "certificate_available_date")
    list_select_related = ("course_run",)
    list_filter = ("is_active",)
    search_fields = ("course_run__key",)
    autocomplete_fields = ("course_run",)


@admin.register(ProgramCertificateConfiguration)
class ProgramCertificateConfigurationAdmin(EditedByStaff):
    list_display = ("program", "title", "is_active", "language")
    list_select_related = ("program",)
    list_filter = ("is_active",)
    search_fields = ("program__title",)
    autocomplete_fields = ("program",)
