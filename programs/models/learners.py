"""What learners take: enrollments and grades."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.core.history import history_records
from programs.models.catalog import CourseRun, Program


class ProgramEnrollment(TimeStampedModel):
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="program_enrollments"
    )
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="enrollments")
    is_active = models.BooleanField(default=True)

    history = history_records()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "program"], name="program_enrollment_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in program {self.program_id}"


class CourseEnrollment(TimeStampedModel):
    """An enrollment as the LMS tells it; `certificate_status` is the LMS' own word."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="course_enrollments"
    )
    course_run = models.ForeignKey(CourseRun, on_delete=models.PROTECT, related_name="enrollments")
    mode = models.SlugField(max_length=100, blank=True)
    is_active = models.BooleanField(default=True)
    certificate_status = models.CharField(max_length=50, blank=True)

    history = history_records()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "course_run"], name="course_enrollment_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in run {self.course_run_id}"


class CourseGrade(TimeStampedModel):
    """A learner's grade in a run. `percent_grade` is a fraction: 0.87 is 87 %.

    `is_final` is what the source says; a grade also becomes final when its run has ended.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="course_grades"
    )
    course_run = models.ForeignKey(CourseRun, on_delete=models.PROTECT, related_name="grades")
    percent_grade = models.DecimalField(max_digits=5, decimal_places=4, null=True, blank=True)
    letter_grade = models.CharField(max_length=255, blank=True)
    passed = models.BooleanField()
    verified = models.BooleanField(default=True)
    is_final = models.BooleanField(default=False)
    graded_at = models.DateTimeField(null=True, blank=True)
    lms_last_updated_at = models.DateTimeField(null=True, blank=True)

    history = history_records()

    class Meta:
        verbose_name = _("grade")
        constraints = [
            models.UniqueConstraint(fields=["user", "course_run"], name="course_grade_once"),
            models.CheckConstraint(
                condition=Q(percent_grade=None) | Q(percent_grade__gte=0, percent_grade__lte=1),
                name="course_grade_is_a_fraction",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in run {self.course_run_id}"
