"""Links to program records: who can open what. Staff revoke them, and do nothing else."""

import re
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from credentials_portal.core.history import Attribution
from programs.admin.staff import EarnedByLearners
from programs.enums import ShareEnd
from programs.models import SharedProgramRecord, SharedRecordViewCount
from programs.services.sharing import revoke_shares

# The uuid as it stands in links, and with its dashes.
UUID_IN_LINK = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)


@admin.register(SharedProgramRecord)
class SharedProgramRecordAdmin(EarnedByLearners):
    list_display = ("user", "program", "made_for", "standing", "views", "expires_at", "created")
    list_select_related = ("user", "program")
    list_filter: ClassVar = ("kind", "end", ("program", AutocompleteSelectFilter))
    search_help_text = _("The whole link or its uuid, a whole username or e-mail address.")
    empty_words = _("Links by which learners show their records to others stand here.")
    sortable_by = ()
    fields = (
        *("user", "program", "made_for", "state", "show_email", "show_username"),
        *("created", "expires_at", "revoked_at", "end", "views", "last_viewed_at", "uuid"),
    )
    readonly_fields = fields
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        counted = SharedRecordViewCount.objects.filter(shared_record=OuterRef("pk")).order_by()
        summed = counted.values("shared_record").annotate(sum=Sum("views")).values("sum")
        last = counted.order_by("-last_viewed_at").values("last_viewed_at")[:1]
        links: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(viewed=Coalesce(Subquery(summed), 0), last_viewed=Subquery(last))
        )
        return links

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if found := UUID_IN_LINK.search(search_term):
            return queryset.filter(uuid=UUID(found[0])), False
        return super().get_search_results(request, queryset, search_term)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("programs.change_sharedprogramrecord")

    @display(description=_("state"), label={"live": "success", "dead": ""})  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, link: SharedProgramRecord) -> tuple[str, Any]:
        """As lists show it: a colour, and the words."""
        return "live" if link.is_live(timezone.now()) else "dead", self.state(link)

    @admin.display(description=_("state"))
    def state(self, link: SharedProgramRecord) -> Any:
        if link.is_live(timezone.now()):
            return _("opens the record")
        return _("dead: %s") % ShareEnd(link.end or ShareEnd.EXPIRED).label

    @admin.display(description=_("made for"))
    def made_for(self, link: SharedProgramRecord) -> str:
        return link.get_kind_display()

    @admin.display(description=_("views by others"))
    def views(self, link: Any) -> int:
        return int(link.viewed)

    @admin.display(description=_("last viewed"))
    def last_viewed_at(self, link: Any) -> str:
        return date_format(localtime(link.last_viewed), "j F Y, H:i") if link.last_viewed else ""

    @admin.action(description=_("Revoke…"), permissions=["decide"])
    def revoke(
        self, request: HttpRequest, queryset: QuerySet[SharedProgramRecord]
    ) -> HttpResponse | None:
        return self.decide(
            request,
            queryset.select_related("user", "program").order_by("pk"),
            _revoke,
            title=_("Revoke links"),
            consequence=_(
                "Whoever has one of these links sees nothing any more, from now on and for good."
                " Learners can make another one. A request for credit whose link dies stays as it"
                " is: withdraw it instead if its institution is to know."
            ),
        )


def _revoke(links: list[SharedProgramRecord], by: Attribution) -> int:
    return revoke_shares(shared_record_ids=[link.pk for link in links], by=by)
