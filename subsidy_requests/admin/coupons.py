"""Coupons, and the codes in them, which nobody is shown."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from credentials_portal.core.admin_pages import person
from credentials_portal.core.admin_terms import EditedByStaff
from credentials_portal.core.errors import DomainError
from subsidy_requests.admin.forms import CodesForm
from subsidy_requests.models import Coupon
from subsidy_requests.services.coupons import import_codes

ADD_CODES = "subsidy_requests.add_couponcode"


@admin.register(Coupon)
class CouponAdmin(EditedByStaff):
    change_form_template = "admin/subsidy_requests/coupon.html"
    list_display = ("title", "customer", "free_codes", "starts_at", "ends_at", "is_active")
    list_select_related = ("customer",)
    list_filter: ClassVar = ("is_active", ("customer", AutocompleteSelectFilter))
    search_fields = ("title", "customer__name", "customer__slug")
    autocomplete_fields = ("customer",)
    fields = ("customer", "title", "starts_at", "ends_at", "is_active", "reason")
    sortable_by = ("starts_at", "ends_at")
    empty_words = _("A coupon is a customer's pool of codes, each of which pays for one course.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Coupon]:
        coupons: QuerySet[Coupon] = super().get_queryset(request)
        free = Count("codes", filter=Q(codes__source_request_uuid=None))
        return coupons.annotate(free=free, total=Count("codes"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("customer",) if obj else ()

    @admin.display(description=_("free codes"))
    def free_codes(self, coupon: Any) -> int:
        return int(coupon.free)

    def get_urls(self) -> list[URLPattern]:
        codes = path(
            "<int:pk>/codes/",
            self.admin_site.admin_view(self.codes_view),
            name="subsidy_requests_coupon_codes",
        )
        return [codes, *super().get_urls()]

    def overview(self, request: HttpRequest, coupon: Any) -> dict[str, Any]:
        return {
            "free": coupon.free,
            "total": coupon.total,
            "may_add_codes": person(request).has_perm(ADD_CODES),
        }

    def codes_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put codes into the coupon."""
        self.require(request, ADD_CODES)
        coupon: Any = get_object_or_404(self.get_queryset(request), pk=pk)
        asked = request.method == "POST"
        form = CodesForm(request.POST if asked else None, request.FILES if asked else None)
        back = reverse("admin:subsidy_requests_coupon_change", args=[pk])
        if asked and form.is_valid():
            try:
                added = import_codes(coupon=coupon, codes=form.all_codes)
            except DomainError as refusal:
                form.add_error(None, refusal.message)
            else:
                known = len(set(form.all_codes)) - added
                told = _("Codes added: %(added)d. Known before: %(known)d.")
                self.message_user(
                    request, told % {"added": added, "known": known}, messages.SUCCESS
                )
                return redirect(back)
        return self.page(
            request,
            "admin/subsidy_requests/codes.html",
            title=_("Add codes"),
            button=_("Add the codes"),
            is_possible=True,
            back=back,
            coupon=coupon,
            form=form,
        )
