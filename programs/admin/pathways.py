"""Credit pathways: edited by staff, each change kept; what was asked of them stays."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from programs.admin.catalog import PartOfParent
from programs.admin.staff import EditedByStaff
from programs.enums import LISTED, PathwayStatus, PathwayType
from programs.models import Pathway, PathwayProgram


class PathwayProgramInline(PartOfParent):
    model = PathwayProgram
    autocomplete_fields = ("program",)
    hide_title = True
    verbose_name_plural = _("Programs whose records it takes")


@admin.register(Pathway)
class PathwayAdmin(EditedByStaff):
    list_display = ("name", "org_name", "email", "pathway_type", "status", "takes_requests")
    list_filter = ("status", "pathway_type", "requires_completion")
    search_fields = ("name", "org_name", "uuid")
    empty_words = _("Institutions to which learners send their records stand here.")
    readonly_fields = ("uuid", "standing")
    fields = (
        *("standing", "name", "org_name", "contact_name", "email", "pathway_type", "status"),
        *("requires_completion", "cooldown_days", "consent_text", "uuid"),
    )
    inlines: ClassVar = (PathwayProgramInline,)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A new one stands nowhere yet."""
        return self.fields if obj else self.fields[1:-1]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        links = PathwayProgram.objects.filter(pathway=OuterRef("pk"), program__status__in=LISTED)
        pathways: QuerySet[Any] = super().get_queryset(request).annotate(has_programs=Exists(links))
        return pathways

    @admin.display(description=_("takes requests"), boolean=True)
    def takes_requests(self, pathway: Any) -> bool:
        return not _hindrance(pathway)

    @admin.display(description=_("Takes requests"))
    def standing(self, pathway: Any) -> str:
        hindrance = _hindrance(pathway)
        if not hindrance:
            return str(_("Yes, about the programs below."))
        return str(_("No: %s.") % hindrance)


def _hindrance(pathway: Any) -> Any:
    """Why nobody can ask this pathway; nothing where learners can."""
    if pathway.pathway_type != PathwayType.CREDIT:
        return _("it is no credit pathway")
    if pathway.status != PathwayStatus.PUBLISHED:
        return _("it is not published")
    if not pathway.email:
        return _("it has no e-mail address")
    if not pathway.has_programs:
        return _("it has no program that is active or retired")
    return ""
