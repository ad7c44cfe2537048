"""Drafts of what a program's letters say; what was published is only looked at."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import FileExtensionValidator
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from letters import services
from letters.admin.viewing import decided_by
from letters.enums import TemplateStatus
from letters.models import LetterSignatory, ProgramLetterTemplate

IMAGE_TYPES = ("png", "jpg", "jpeg")
MAX_IMAGE_BYTES = 1_000_000
STATUS_COLOURS = {
    TemplateStatus.DRAFT: "info",
    TemplateStatus.PUBLISHED: "success",
    TemplateStatus.WITHDRAWN: "danger",
}


class ImageForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """Takes pictures in a form that both a page and a PDF can show, and no others."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.FileField):
                field.validators += [FileExtensionValidator(IMAGE_TYPES), _check_size]


def _check_size(image: "UploadedFile[Any]") -> None:
    if (image.size or 0) > MAX_IMAGE_BYTES:
        raise ValidationError(_("The picture is larger than 1 MB."))


def is_draft(template: ProgramLetterTemplate | None) -> bool:
    return template is None or template.status == TemplateStatus.DRAFT


class SignatoryInline(TabularInline):
    model = LetterSignatory
    form = ImageForm
    fields = ("position", "name", "title_line_1", "title_line_2", "signature_image")
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_delete_permission(request, obj)


@admin.register(ProgramLetterTemplate)
class ProgramLetterTemplateAdmin(ModelAdmin):
    form = ImageForm
    inlines = (SignatoryInline,)
    autocomplete_fields = ("program",)
    list_display = ("__str__", "program", "standing", "published_at", "published_by", "modified")
    list_select_related = ("program", "published_by")
    list_filter: ClassVar = ("status", ("program", AutocompleteSelectFilter))
    list_filter_submit = True
    show_full_result_count = False
    ordering = ("-pk",)
    fieldsets: ClassVar = (
        (None, {"fields": ("program", ("revision", "status"))}),
        (_("What the letter says"), {"fields": ("header", "text", "footer", "logo")}),
        (_("Publication"), {"fields": (("published_at", "published_by", "withdrawn_at"),)}),
    )
    readonly_fields = ("revision", "status", "published_at", "published_by", "withdrawn_at")

    @display(description=_("status"), label=STATUS_COLOURS)  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, template: ProgramLetterTemplate) -> tuple[str, str]:
        return template.status, template.get_status_display()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "program") if obj else self.readonly_fields

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: ProgramLetterTemplate, form: Any, change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            services.add_draft(obj, by=decided_by(request, at=timezone.now()))
