from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminNullBooleanSelectWidget

from credentials_portal.core.history import Attribution
from programs import services
from programs.admin.staff import EarnedByLearners, by_staff, reason_field
from programs.models import CourseEnrollment, CourseGrade, ProgramEnrollment


class GradeForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    says_passed = forms.NullBooleanField(
        label=_("Passed"),
        required=False,
        widget=UnfoldAdminNullBooleanSelectWidget(),
        help_text=_("Unknown: the run's passing grade decides."),
    )
    reason = reason_field()

    class Meta:
        model = CourseGrade
        fields = (
            *("user", "course_run", "percent_grade", "letter_grade"),
            *("verified", "is_final", "graded_at"),
        )
        help_texts = {"percent_grade": _("A fraction: 0.87 is 87 %.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        grade: CourseGrade = self.instance
        # Said only where it differs: a corrected percentage is then judged anew.
        if grade.pk and grade.passed != services.passes(
            grade.percent_grade, passing_grade=grade.course_run.passing_grade
        ):
            self.fields["says_passed"].initial = grade.passed


@admin.register(CourseGrade)
class CourseGradeAdmin(EarnedByLearners):
    """Grades are added and corrected with a reason; letters and certificates follow.

    A grade that staff gave counts as news of that moment: older news of the LMS does not undo it.
    """

    form = GradeForm
    list_display = ("user", "course_run", "percent_grade", "passed", "verified", "is_final")
    list_select_related = ("user", "course_run")
    list_filter = ("passed", "verified", "is_final")
    autocomplete_fields = ("user", "course_run")
    fields = (
        *("user", "course_run", "percent_grade", "letter_grade", "says_passed"),
        *("verified", "is_final", "graded_at", "reason"),
    )
    actions = ("delete_grades",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("programs.add_coursegrade")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("programs.change_coursegrade")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("programs.delete_coursegrade")

    def get_actions(self, request: HttpRequest) -> Any:
        """Without Django's own deletion, which asks for no reason and announces nothing."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("user", "course_run") if obj else ()

    def save_model(self, request: HttpRequest, obj: CourseGrade, form: Any, change: bool) -> None:
        by = by_staff(request, form.cleaned_data["reason"])
        record = services.GradeRecord(
            user_id=obj.user_id,
            course_run_id=obj.course_run_id,
            percent_grade=obj.percent_grade,
            letter_grade=obj.letter_grade,
            passed=form.cleaned_data["says_passed"],
            verified=obj.verified,
            is_final=obj.is_final,
            graded_at=obj.graded_at,
            lms_last_updated_at=by.at,
        )
        services.record_grades([record], by=by)
        obj.pk = CourseGrade.objects.get(user=obj.user_id, course_run=obj.course_run_id).pk

    @admin.action(description=_("Delete grades"), permissions=["delete"])
    def delete_grades(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self.decide(
            request,
            queryset.select_related("user", "course_run"),
            _delete,
            title=_("Delete grades"),
            consequence=_(
                "For grades that should never have been there. Their history stays; letters and"
                " certificates that rest on them are judged again."
            ),
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_delete_permission(request):
            raise PermissionDenied
        grades = self.get_queryset(request).filter(pk=object_id)
        response = self.delete_grades(request, grades)
        return response or HttpResponseRedirect(reverse("admin:programs_coursegrade_changelist"))


def _delete(grades: list[CourseGrade], by: Attribution) -> int:
    return services.delete_grades(grade_ids=[grade.pk for grade in grades], by=by)


@admin.register(CourseEnrollment)
class CourseEnrollmentAdmin(EarnedByLearners):
    list_display = ("user", "course_run", "mode", "is_active", "certificate_status")
    list_select_related = ("user", "course_run")
    list_filter = ("is_active",)


@admin.register(ProgramEnrollment)
class ProgramEnrollmentAdmin(EarnedByLearners):
    list_display = ("user", "program", "is_active")
    list_select_related = ("user", "program")
    list_filter = ("is_active",)
