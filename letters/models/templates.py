"""What a letter says: revisions of a program's template, which never change once published."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from model_utils.models import TimeStampedModel

from credentials_portal.core.history import history_records
from letters.enums import TemplateStatus


class LetterPicture(models.Model):
    """A logo or a signature, named by the hash of its bytes, which never change.

    It stands in the database because a published revision has to: what lies on a disk can be
    exchanged or lost, and every web process needs it.
    """

    sha256 = models.CharField(max_length=64, primary_key=True)
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()
    content = models.BinaryField()

    def __str__(self) -> str:
        return self.sha256


class ProgramLetterTemplate(TimeStampedModel):
    """One revision of the text around a program's letters.

    Several may be published: each letter keeps the one that it is pinned to. New letters get the
    one published last, or none when that was withdrawn. Withdrawing a revision hides its letters.
    """

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
    logo = models.ForeignKey(
        LetterPicture, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    history = history_records()

    class Meta:
        ordering = ["program", "revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["program", "revision"], name="letter_template_revision_once"
            ),
            models.CheckConstraint(
                condition=Q(status__in=TemplateStatus.values), name="letter_template_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status=TemplateStatus.DRAFT)
                | (Q(published_at__isnull=False) & ~Q(text="")),
                name="letter_template_published_with_text_and_date",
            ),
            models.CheckConstraint(
                condition=~Q(status=TemplateStatus.WITHDRAWN) | Q(withdrawn_at__isnull=False),
                name="letter_template_withdrawn_with_date",
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
    signature = models.ForeignKey(
        LetterPicture, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["position", "pk"]
        verbose_name_plural = "signatories"

    def __str__(self) -> str:
        return self.name
