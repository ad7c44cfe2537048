"""What people waived, and the end of a waiver."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from credentials_portal.core.admin_pages import decided_by, person
from letters import services
from letters.admin.viewing import ExactSearch
from letters.enums import describe_check
from letters.models import LetterWaiver


class InForceFilter(admin.SimpleListFilter):
    title = _("in force")
    parameter_name = "in_force"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("yes", _("in force")), ("no", _("ended"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LetterWaiver]
    ) -> QuerySet[LetterWaiver]:
        in_force = LetterWaiver.objects.in_force(timezone.now()).values("pk")
        match self.value():
            case "yes":
                return queryset.filter(pk__in=in_force)
            case "no":
                return queryset.exclude(pk__in=in_force)
        return queryset


@admin.register(LetterWaiver)
class LetterWaiverAdmin(ExactSearch):
    list_display = ("waived", "user", "program", "granted_by", "granted_at", "expires_at", "ended")
    list_select_related = ("user", "program", "granted_by")
    list_filter: ClassVar = (InForceFilter, ("program", AutocompleteSelectFilter))
    search_fields = ("user",)
    empty_words = _("A check is waived for one learner on the page of the letter that fails it.")
    search_help_text = _("The learner's whole username or e-mail address.")
    sortable_by = ()
    change_form_template = "admin/letters/waiver.html"

    @admin.display(description=_("check"))
    def waived(self, waiver: LetterWaiver) -> str:
        return describe_check(waiver.code)

    @admin.display(description=_("withdrawn"))
    def ended(self, waiver: LetterWaiver) -> Any:
        return waiver.withdrawn_at

    def get_urls(self) -> list[URLPattern]:
        withdraw = path(
            "<int:pk>/withdraw/",
            self.admin_site.admin_view(self.withdrawal_view),
            name="letters_letterwaiver_withdraw",
        )
        return [withdraw, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may_withdraw = person(request).has_perm("letters.waive_letter_check")
        context = {**(extra_context or {}), "may_withdraw": may_withdraw}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def withdrawal_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what the end of a waiver means; when posted, end it."""
        self.require(request, "letters.waive_letter_check")
        waiver = get_object_or_404(LetterWaiver.objects.select_related("program", "user"), pk=pk)
        if request.method != "POST":
            return self.page(
                request,
                "admin/letters/withdraw_waiver.html",
                title=_("Withdraw a waiver"),
                button=_("Withdraw waiver"),
                is_possible=waiver.withdrawn_at is None,
                back=reverse("admin:letters_letterwaiver_change", args=[pk]),
                waiver=waiver,
                check=describe_check(waiver.code),
            )
        if services.withdraw_waiver(waiver_id=pk, by=decided_by(request, at=timezone.now())):
            told = _("The waiver is withdrawn, and the letter is queued to be looked at again.")
            self.message_user(request, told, messages.SUCCESS)
        else:
            self.message_user(request, _("The waiver was withdrawn already."), messages.WARNING)
        return redirect(reverse("admin:letters_letterwaiver_change", args=[pk]))
