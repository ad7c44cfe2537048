"""What a letter says: revisions of a program's template, which never change once published."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from model_utils.models import TimeStampedModel

from letters.enums import TemplateStatus


class ProgramLetterTemplate(TimeStampedModel):
    """One revision of the text around a program's letters."""

    program = models.ForeignKey(
        "programs.Program", on_delete=models.PROTECT, related_name="letter_templates"
    )
    revision = models.PositiveIntegerField()
    status = models.CharField(
        max_length=16, choices=TemplateStatus.choices, default=TemplateStatus.DRAFT
    )
    header = models.TextField(blank=True)
    text = models.TextField(blank=True)
    footer = models.TextField(blank=True)
    logo = models.FileField(upload_to="letters/logos/", blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["program", "revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["program", "revision"], name="letter_template_revision_once"
            ),
            models.UniqueConstraint(
                fields=["program"],
                condition=Q(status=TemplateStatus.PUBLISHED),
                name="letter_template_one_published",
            ),
            models.CheckConstraint(
                condition=Q(status=TemplateStatus.DRAFT)
                | (Q(published_at__isnull=False) & ~Q(text="")),
                name="letter_template_published_with_text_and_date",
            ),
        ]
        permissions = [("publish_letter_template", "Can publish and withdraw letter templates")]

    def __str__(self) -> str:
        return f"revision {self.revision}"


class LetterSignatory(models.Model):
    """Who signs the letters of a template's revision, in order."""

    template = models.ForeignKey(
        ProgramLetterTemplate, on_delete=models.PROTECT, related_name="signatories"
    )
    position = models.PositiveSmallIntegerField(default=0)
    name = models.CharField(max_length=255)
    title_line_1 = models.CharField(max_length=255)
    title_line_2 = models.CharField(max_length=255, blank=True)
    signature_image = models.FileField(upload_to="letters/signatures/", blank=True)

    class Meta:
        ordering = ["position"]
        verbose_name_plural = "signatories"

    def __str__(self) -> str:
        return self.name
