"""What is taught: organizations, courses, runs and the programs that they make up."""

from decimal import Decimal
from uuid import uuid4

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.core.history import history_records
from programs.enums import ProgramStatus

DEFAULT_PASSING_GRADE = Decimal("0.6")


class Organization(TimeStampedModel):
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    key = models.CharField(max_length=255, db_index=True)
    name = models.CharField(max_length=255)
    certificate_logo_image_url = models.URLField(max_length=512, blank=True)

    history = history_records()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Course(TimeStampedModel):
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    key = models.CharField(max_length=255, unique=True)
    title = models.CharField(max_length=255, blank=True)
    owners = models.ManyToManyField(
        Organization, through="CourseOwner", related_name="owned_courses"
    )

    history = history_records()

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title or self.key


class CourseOwner(models.Model):
    """An organization that offers a course; the order is the one to print them in."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["course", "organization"], name="course_owner_once")
        ]

    def __str__(self) -> str:
        return str(self.organization)


class CourseRun(TimeStampedModel):
    """One offering of a course. `passing_grade` is a fraction: 0.6 is 60 %."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="course_runs")
    key = models.CharField(max_length=255, unique=True)
    title_override = models.CharField(max_length=255, blank=True)
    start_date = models.DateTimeField(null=True, blank=True)
    end_date = models.DateTimeField(null=True, blank=True, db_index=True)
    enrollment_start = models.DateTimeField(null=True, blank=True)
    enrollment_end = models.DateTimeField(null=True, blank=True)
    passing_grade = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default=DEFAULT_PASSING_GRADE,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
    )

    history = history_records()

    class Meta:
        ordering = ["key"]
        constraints = [
            models.CheckConstraint(
                condition=Q(passing_grade__gte=0, passing_grade__lte=1),
                name="course_run_passing_grade_is_a_fraction",
            )
        ]

    @property
    def title(self) -> str:
        return self.title_override or self.course.title

    def __str__(self) -> str:
        return self.key


class CourseMode(models.Model):
    """A paid way to take a run, and until when a learner may upgrade to it."""

    course_run = models.ForeignKey(CourseRun, on_delete=models.CASCADE, related_name="modes")
    slug = models.SlugField(max_length=100)
    upgrade_deadline = models.DateTimeField(null=True, blank=True)

    history = history_records()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["course_run", "slug"], name="course_mode_once")
        ]

    def __str__(self) -> str:
        return self.slug


class Program(TimeStampedModel):
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    title = models.CharField(max_length=255)
    type = models.CharField(max_length=32, blank=True)
    type_slug = models.SlugField(max_length=32, blank=True)
    status = models.CharField(
        max_length=24, choices=ProgramStatus.choices, default=ProgramStatus.ACTIVE
    )
    total_hours_of_effort = models.PositiveSmallIntegerField(null=True, blank=True)
    course_runs = models.ManyToManyField(
        CourseRun, through="ProgramCourseRun", related_name="programs"
    )
    authoring_organizations = models.ManyToManyField(
        Organization, through="ProgramAuthor", related_name="authored_programs"
    )

    history = history_records()

    class Meta:
        ordering = ["title"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=ProgramStatus.values), name="program_status_known"
            )
        ]

    def __str__(self) -> str:
        return self.title


class ProgramAuthor(models.Model):
    program = models.ForeignKey(Program, on_delete=models.CASCADE)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["program", "organization"], name="program_author_once")
        ]

    def __str__(self) -> str:
        return str(self.organization)


class ProgramCourseRun(models.Model):
    """A run that the program includes: only these count towards it."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="included_runs")
    course_run = models.ForeignKey(CourseRun, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    history = history_records()

    class Meta:
        ordering = ["position"]
        verbose_name = _("included run")
        constraints = [
            models.UniqueConstraint(
                fields=["program", "course_run"], name="program_includes_run_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.program_id}: {self.course_run_id}"
