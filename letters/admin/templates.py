"""Drafts of what a program's letters say; what was published is only looked at."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db import transaction
from django.db.models import IntegerField, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from credentials_portal.core.admin_pages import decided_by, person
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import save_with_history
from letters import selectors, services
from letters.admin.publishing import PUBLISH, TextPages, address_of, missing
from letters.admin.text_forms import SignatoryForm, TextForm
from letters.documents.markdown import MAX_LENGTH, PLACEHOLDERS
from letters.enums import TemplateStatus
from letters.models import (
    LetterPicture,
    LetterSignatory,
    ProgramLetter,
    ProgramLetterTemplate,
)
from letters.services import TemplateFrozenError

STATUS_COLOURS = {
    TemplateStatus.DRAFT: "info",
    TemplateStatus.PUBLISHED: "success",
    TemplateStatus.WITHDRAWN: "danger",
}
MOST_COUNTED = 1_000
MOST_SIGNATORIES = 6


class BoundedCount(Subquery):
    """How many rows a QuerySet has; it is told itself where to stop."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def is_draft(template: ProgramLetterTemplate | None) -> bool:
    return template is None or template.status == TemplateStatus.DRAFT


def picture_shown(picture: LetterPicture | None) -> str:
    if picture is None:
        return str(_("none"))
    return format_html(
        '<img src="{}" alt="{}" height="60" class="bg-white max-w-48 rounded-default">',
        reverse("letter_picture", args=[picture.sha256]),
        _("The picture"),
    )


def as_typed(text: str) -> str:
    """With its lines, which carry the paragraphs and lists."""
    return format_html('<div style="white-space: pre-wrap">{}</div>', text) if text else ""


class SignatoryInline(StackedInline):
    model = LetterSignatory
    form = SignatoryForm
    max_num = MOST_SIGNATORIES
    verbose_name = _("signatory")
    verbose_name_plural = _("Signatories")
    readonly_fields = ("signature_shown",)

    @admin.display(description=_("signature"))
    def signature_shown(self, signatory: LetterSignatory) -> str:
        return picture_shown(signatory.signature)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        may_edit = self.has_change_permission(request, obj) or self.has_add_permission(request, obj)
        signature = "signature" if may_edit else "signature_shown"
        return (("name", "position"), ("title_line_1", "title_line_2"), signature)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LetterSignatory]:
        signatories: QuerySet[LetterSignatory] = super().get_queryset(request)
        return signatories.select_related("signature").defer("signature__content")

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, validate_max=True, **kwargs)

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        """Room for one more, for whoever has no JavaScript that adds it."""
        return 1 if obj else 2

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_delete_permission(request, obj)


@admin.register(ProgramLetterTemplate)
class ProgramLetterTemplateAdmin(SimpleHistoryAdmin, TextPages):
    form = TextForm
    inlines = (SignatoryInline,)
    change_form_template = "admin/letters/text.html"
    list_display = (
        *("__str__", "program", "standing", "pinned_letters"),
        *("published_at", "published_by", "modified"),
    )
    list_select_related = ("program", "published_by")
    list_filter: ClassVar = ("status", ("program", AutocompleteSelectFilter))
    list_filter_submit = True
    show_full_result_count = False
    sortable_by = ("published_at", "modified")
    ordering = ("-pk",)
    readonly_fields = ("header_shown", "logo_shown", "text_shown", "footer_shown")

    @display(description=_("status"), label=STATUS_COLOURS)  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, template: ProgramLetterTemplate) -> tuple[str, str]:
        return template.status, template.get_status_display()

    @admin.display(description=_("letters with this text"))
    def pinned_letters(self, template: ProgramLetterTemplate) -> str:
        pinned = template.pinned  # type: ignore[attr-defined]  # annotated
        return f"{MOST_COUNTED:,}+" if pinned > MOST_COUNTED else str(pinned)

    @admin.display(description=_("logo"))
    def logo_shown(self, template: ProgramLetterTemplate) -> str:
        return picture_shown(template.logo)

    @admin.display(description=_("header"))
    def header_shown(self, template: ProgramLetterTemplate) -> str:
        return as_typed(template.header)

    @admin.display(description=_("text"))
    def text_shown(self, template: ProgramLetterTemplate) -> str:
        return as_typed(template.text)

    @admin.display(description=_("footer"))
    def footer_shown(self, template: ProgramLetterTemplate) -> str:
        return as_typed(template.footer)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProgramLetterTemplate]:
        letters = ProgramLetter.objects.filter(content_revision=OuterRef("pk")).order_by()
        templates: QuerySet[ProgramLetterTemplate] = super().get_queryset(request)
        return templates.annotate(pinned=BoundedCount(letters.values("pk")[: MOST_COUNTED + 1]))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, Any]]:
        fields = ("header", "logo", "text", "footer")
        if obj and not self.has_change_permission(request, obj):
            fields = self.readonly_fields
        says = (_("What the letter says"), {"fields": fields})
        return [says] if obj else [(None, {"fields": ("program",)}), says]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = (extra_context or {}) | _markdown()
        response: HttpResponse = super().add_view(request, form_url, context)
        return response

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """What is saved is a draft that nobody publishes or edits meanwhile."""
        template = self.get_object(request, object_id)
        # Where there is nothing to see, Django knows what to answer.
        if template is None or not self.has_view_permission(request, template):
            answer: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
            return answer
        context = (extra_context or {}) | _markdown() | self._overview(request, template)
        if request.method != "POST":
            answer = super().change_view(request, object_id, form_url, context)
            return answer
        try:
            with transaction.atomic():
                services.lock_draft(template_id=template.pk)
                answer = super().change_view(request, object_id, form_url, context)
        except TemplateFrozenError as refusal:
            return self._tell_frozen(request, template, refusal)
        return answer

    def _overview(self, request: HttpRequest, template: ProgramLetterTemplate) -> dict[str, Any]:
        may_publish = person(request).has_perm(PUBLISH)
        is_published = template.status == TemplateStatus.PUBLISHED
        return {
            "title": _("Text of letters"),
            "colour": STATUS_COLOURS[TemplateStatus(template.status)],
            "problems": services.template_problems(template) if is_draft(template) else [],
            "missing": missing(template) if is_draft(template) else [],
            "withdrawal": selectors.withdrawal(template) if is_published else None,
            "withdrawn_because": _withdrawn_because(template),
            "may_publish": may_publish and is_draft(template),
            "may_withdraw": may_publish and is_published,
            "may_copy": self.has_add_permission(request),
            "addresses": {
                page: address_of(page, template.pk)
                for page in ("preview", "preview_pdf", "publish", "withdraw", "copy")
            },
        }

    def _tell_frozen(
        self, request: HttpRequest, template: ProgramLetterTemplate, refusal: DomainError
    ) -> HttpResponse:
        """Somebody published it first: what was typed is shown once more, to be kept elsewhere."""
        template.refresh_from_db()
        names = {"header": _("Header"), "text": _("Text"), "footer": _("Footer")}
        response = self.page(
            request,
            "admin/letters/text_frozen.html",
            title=_("Nothing was saved"),
            template=template,
            refusal=refusal.message,
            typed=[
                (words, request.POST[name])
                for name, words in names.items()
                if request.POST.get(name)
            ],
            may_copy=self.has_add_permission(request),
            addresses={page: address_of(page, template.pk) for page in ("change", "copy")},
        )
        response.status_code = 409
        return response

    def save_model(
        self, request: HttpRequest, obj: ProgramLetterTemplate, form: Any, change: bool
    ) -> None:
        by = decided_by(request, at=timezone.now())
        if change:
            save_with_history(obj, by=by)
        else:
            services.add_draft(obj, by=by)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Signatories, each in its place; those without one follow."""
        changed = formset.save(commit=False)
        for signatory in formset.deleted_objects:
            signatory.delete()
        placed = [
            signatory.position
            for signatory in form.instance.signatories.exclude(pk__in=[one.pk for one in changed])
        ] + [signatory.position for signatory in changed if signatory.position is not None]
        for signatory in changed:
            if signatory.position is None:
                signatory.position = max(placed, default=0) + 1
                placed.append(signatory.position)
            signatory.save()


def _markdown() -> dict[str, Any]:
    """What the help on writing names."""
    return {"placeholders": PLACEHOLDERS, "max_length": MAX_LENGTH}


def _withdrawn_because(template: ProgramLetterTemplate) -> str:
    """The reason that staff gave; empty for what was not withdrawn."""
    if template.status != TemplateStatus.WITHDRAWN:
        return ""
    newest = template.history.order_by("-history_id").first()
    return (newest and newest.history_change_reason) or ""
