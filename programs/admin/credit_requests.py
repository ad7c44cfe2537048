"""Credit requests: how each stands and what happened to it. Staff withdraw them, and ask for
learners, by services, after a page that tells what follows."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from credentials_portal.accounts.models import User
from credentials_portal.core.admin_pages import DayRangeFilter, LookedAt, person
from programs.admin.credit_acts import ASK, WITHDRAW, ActPages
from programs.admin.credit_reports import ReportPages
from programs.admin.credit_words import ANSWER_COLOURS, STATE_COLOURS, next_of_request
from programs.enums import CreditRequestStatus
from programs.models import Pathway, UserCreditPathway
from programs.selectors.credit import REACHED, timeline_of
from programs.selectors.overview import (
    message_to_institution,
    requests_that_failed,
    unclear_requests,
)


class AttentionFilter(admin.SimpleListFilter):
    """What did not get where it should, and waits for somebody."""

    title = _("needs somebody")
    parameter_name = "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            ("failed", _("could not be sent lately")),
            ("unclear", _("nobody knows whether it was sent")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "failed":
                return queryset.filter(pk__in=requests_that_failed(timezone.now()).values("pk"))
            case "unclear":
                return queryset.filter(pk__in=unclear_requests().values("pk"))
        return queryset


class InstitutionFilter(admin.SimpleListFilter):
    """The institutions from the pathways: to look them up in the requests would read all of them."""

    title = _("institution")
    parameter_name = "institution"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        names = Pathway.objects.order_by("org_name").values_list("org_name", flat=True)
        return [(name, name) for name in names.distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(pathway__org_name=self.value()) if self.value() else queryset


@admin.register(UserCreditPathway)
class UserCreditPathwayAdmin(ReportPages, ActPages, LookedAt):
    change_form_template = "programs/admin/credit_request.html"
    list_before_template = "programs/admin/credit_request_buttons.html"
    list_display = ("user", "pathway", "program", "standing", "said", "number", "requested_at")
    list_select_related = ("user", "pathway", "program")
    list_filter: ClassVar = (
        AttentionFilter,
        "status",
        "answer",
        ("program", AutocompleteSelectFilter),
        ("pathway", AutocompleteSelectFilter),
        InstitutionFilter,
        "was_completed",
        "source",
        ("requested_at", DayRangeFilter),
    )
    search_fields = ("uuid",)
    search_help_text = _("The whole uuid, username or e-mail address.")
    sortable_by = ()
    empty_words = _("What learners ask institutions for stands here.")
    fieldsets: ClassVar = (
        (
            _("All that is kept of it"),
            {
                "classes": ("collapse",),
                "fields": (
                    *("uuid", ("user", "number"), ("pathway", "program"), "shared_record"),
                    *(("status", "failure"), ("source", "requested_by"), "on_behalf_reason"),
                    *(("requested_at", "sent_at", "withdrawn_at"), "was_completed"),
                    *("consent_text", "record_fingerprint"),
                    *(("answer", "answered_at"), "answer_note", ("created", "modified")),
                ),
            },
        ),
    )

    @display(description=_("state"), label=STATE_COLOURS)  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, request: UserCreditPathway) -> tuple[str, str]:
        return request.status, request.get_status_display()

    @display(description=_("answer"), label=ANSWER_COLOURS)  # type: ignore[untyped-decorator]  # unfold has no types
    def said(self, request: UserCreditPathway) -> tuple[str, str] | None:
        return (request.answer, request.get_answer_display()) if request.answer else None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Whole words only: the table may hold millions."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(user__in=User.objects.by_login(term).values("pk"))
        with suppress(ValueError):
            found = Q(uuid=UUID(term))
        return queryset.filter(found), False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        requests: QuerySet[Any] = super().get_queryset(request)
        return requests.select_related("user", "pathway", "program", "shared_record")

    def overview(self, request: HttpRequest, asked: UserCreditPathway) -> dict[str, Any]:
        message = message_to_institution(asked)
        return {
            "title": _("Credit request"),
            "colour": STATE_COLOURS[CreditRequestStatus(asked.status)],
            "next_action": next_of_request(asked, message),
            "message": message,
            "link_is_live": asked.shared_record and asked.shared_record.is_live(timezone.now()),
            "story": timeline_of(asked)[::-1],
            "acts": list(_possible(asked, person(request))),
        }


def _possible(asked: UserCreditPathway, user: User) -> Iterable[tuple[Any, str]]:
    """What this person can do about the request now: the words, and where."""
    if asked.status in REACHED and user.has_perm(WITHDRAW):
        address = reverse("admin:programs_usercreditpathway_withdraw", args=[asked.pk])
        yield _("Withdraw…"), address
    if asked.program_id and user.has_perm(ASK):
        chosen = [asked.user_id, asked.program_id]
        address = reverse("admin:programs_usercreditpathway_ask_for", args=chosen)
        yield _("Ask again for the learner…"), address
