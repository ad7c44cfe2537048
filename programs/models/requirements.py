"""What a learner must pass to complete a program, in immutable versions.

A version holds groups, a group holds courses. `programs.services.define_requirements` is the
only writer; the database refuses changes to what was written (migration 0002).
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from programs.enums import GroupKind
from programs.models.catalog import Course, Program


class ProgramRequirementsVersion(TimeStampedModel):
    """The requirements of a program from `effective_from` until the next version's.

    A version without groups says that the program has no requirements, which nobody can meet.
    """

    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="requirements_versions"
    )
    number = models.PositiveIntegerField()
    effective_from = models.DateTimeField()
    # The database compares it with the groups at commit (migration 0002).
    group_count = models.PositiveSmallIntegerField()
    note = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["program", "number"]
        verbose_name = _("requirements version")
        constraints = [
            models.UniqueConstraint(
                fields=["program", "number"], name="requirements_version_number_once"
            )
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class RequirementGroup(models.Model):
    """Courses of which `required_number` must be met; a core group requires them all.

    An elective set keeps its `number` from version to version, so that what was said about the
    set (`elective_set:<number>`) holds on. A core group has none.
    """

    version = models.ForeignKey(
        ProgramRequirementsVersion, on_delete=models.PROTECT, related_name="groups"
    )
    kind = models.CharField(max_length=16, choices=GroupKind.choices)
    number = models.PositiveIntegerField(null=True, blank=True)
    title = models.CharField(max_length=255, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    required_number = models.PositiveSmallIntegerField()
    # The database compares it with the members at commit (migration 0002).
    course_count = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.CheckConstraint(
                condition=Q(required_number__gte=1, required_number__lte=F("course_count")),
                name="requirement_group_can_be_met",
            ),
            models.CheckConstraint(
                condition=Q(kind=GroupKind.ELECTIVES)
                | Q(kind=GroupKind.CORE, required_number=F("course_count")),
                name="requirement_group_core_requires_all",
            ),
            models.UniqueConstraint(
                fields=["version"],
                condition=Q(kind=GroupKind.CORE),
                name="requirements_version_has_one_core",
            ),
            models.CheckConstraint(
                condition=Q(kind=GroupKind.CORE, number=None)
                | Q(kind=GroupKind.ELECTIVES, number__isnull=False),
                name="requirement_group_sets_have_numbers",
            ),
            models.UniqueConstraint(
                fields=["version", "number"], name="requirements_version_has_set_once"
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.get_kind_display()


class RequirementCourse(models.Model):
    """A course stands in one group of a version only, so that it counts once."""

    version = models.ForeignKey(
        ProgramRequirementsVersion, on_delete=models.PROTECT, related_name="courses"
    )
    group = models.ForeignKey(RequirementGroup, on_delete=models.PROTECT, related_name="courses")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "course"], name="requirements_version_has_course_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.group_id}: {self.course_id}"
