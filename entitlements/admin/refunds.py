"""Refunds: what waits for staff comes first, and is settled with a comment."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from credentials_portal.accounts.models import User
from credentials_portal.core.admin_pages import LookedAt, decided_by, person
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from entitlements.admin.forms import CommentForm
from entitlements.admin.words import REFUND_COLOURS, next_of_refund
from entitlements.deliveries.acting import deliver_refund
from entitlements.enums import RefundStatus
from entitlements.models import CourseEntitlementRefund
from entitlements.selectors.learners import held_entitlements
from entitlements.selectors.standing import ASKED, TO_PAY, TO_REVIEW, WAITING, refund_key
from entitlements.services import settling

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

SETTLE = "entitlements.settle_refunds"


@dataclass(frozen=True)
class Decision:
    """Something that staff may decide about refunds that are `open_to` it.

    `act` takes `refund_id`, `comments` and `by`.
    """

    name: str
    open_to: Q
    title: "_StrPromise"
    button: "_StrPromise"
    consequences: tuple["_StrPromise", ...]
    done: "_StrPromise"
    act: Callable[..., CourseEntitlementRefund]

    def is_possible(self, refund: CourseEntitlementRefund) -> bool:
        return CourseEntitlementRefund.objects.filter(self.open_to, pk=refund.pk).exists()


def ask_again(*, refund_id: int, comments: str, by: Attribution) -> CourseEntitlementRefund:
    """As `retry_refund`, and without waiting for the outbox."""
    return deliver_refund(settling.retry_refund(refund_id=refund_id, comments=comments, by=by))


CONFIRM = Decision(
    name="confirm",
    open_to=TO_REVIEW,
    title=gettext_lazy("Settle: it was refunded"),
    button=gettext_lazy("It was refunded"),
    consequences=(
        gettext_lazy("The entitlement ends as refunded, and cannot be refunded again."),
        gettext_lazy("Its learner leaves the session that it is used for, and is told by mail."),
        gettext_lazy("The order service is not asked: make sure that it has the refund."),
    ),
    done=gettext_lazy("Settled: it was refunded."),
    act=settling.confirm_refund,
)
DENY = Decision(
    name="deny",
    open_to=TO_REVIEW,
    title=gettext_lazy("Settle: it was not refunded"),
    button=gettext_lazy("It was not refunded"),
    consequences=(
        gettext_lazy("The entitlement is as it was before: it can be used, and its learner stays."),
        gettext_lazy(
            "Its learner is told by mail, and can ask again, as long as it is refundable."
        ),
        gettext_lazy("If the order service has given the refund, it would be given for nothing."),
    ),
    done=gettext_lazy("Settled: it was not refunded. The entitlement can be used again."),
    act=settling.deny_refund,
)
RETRY = Decision(
    name="retry",
    open_to=TO_REVIEW,
    title=gettext_lazy("Ask for the refund again"),
    button=gettext_lazy("Ask again"),
    consequences=(
        gettext_lazy("The order service is asked once more. Nobody can use the entitlement yet."),
        gettext_lazy(
            "If it has the refund already, it says that there is nothing to refund, and"
            " the refund comes back here."
        ),
    ),
    done=gettext_lazy("The order service was asked again. Its answer is below."),
    act=ask_again,
)
PAID = Decision(
    name="paid",
    open_to=TO_PAY,
    title=gettext_lazy("Mark the refund as paid"),
    button=gettext_lazy("It is paid"),
    consequences=(gettext_lazy("It leaves the list of what is to be paid. Nothing else changes."),),
    done=gettext_lazy("The refund is paid."),
    act=settling.mark_refund_paid,
)
DECISIONS = (CONFIRM, DENY, RETRY, PAID)


class WaitingFilter(admin.SimpleListFilter):
    """The list shows what waits, unless it is asked for more."""

    title = gettext_lazy("what it waits for")
    parameter_name = "waits_for"
    WAYS: ClassVar = {"review": TO_REVIEW, "payment": TO_PAY, "answer": ASKED}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            ("review", gettext_lazy("for staff to find out")),
            ("payment", gettext_lazy("to be paid by hand")),
            ("answer", gettext_lazy("for an answer")),
            ("all", gettext_lazy("all, settled ones too")),
        ]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        everything, *others = super().choices(changelist)
        yield {**everything, "display": _("for anything")}
        yield from others

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[CourseEntitlementRefund]
    ) -> QuerySet[CourseEntitlementRefund]:
        way = self.value() or ""
        if way == "all":
            return queryset
        return queryset.filter(WAITING & self.WAYS[way] if way in self.WAYS else WAITING)


@admin.register(CourseEntitlementRefund)
class CourseEntitlementRefundAdmin(LookedAt):
    change_form_template = "admin/entitlements/refund.html"
    list_display = ("order_number", "standing", "learner", "gateway", "requested_at", "age")
    list_select_related = ("entitlement__user",)
    list_filter: ClassVar = (WaitingFilter, "gateway", "status")
    search_fields = ("order_number",)
    search_help_text = gettext_lazy(
        "The whole order number, the entitlement's uuid, or the learner's username or e-mail"
        " address. Choose “all” to find settled ones."
    )
    sortable_by = ()
    empty_words = gettext_lazy("Refunds appear here when learners ask for them. None waits.")
    fieldsets: ClassVar = (
        (
            gettext_lazy("All that is kept of it"),
            {
                "classes": ("collapse",),
                "fields": (
                    *("order_number", "gateway", "status", "refusal", "may_have_arrived"),
                    *("remote_ids", ("requested_by", "requested_at"), ("settled_by", "settled_at")),
                ),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CourseEntitlementRefund]:
        refunds: QuerySet[CourseEntitlementRefund] = super().get_queryset(request)
        ways = (TO_REVIEW, TO_PAY, ASKED)
        return refunds.annotate(
            rank=Case(*(When(way, then=Value(rank)) for rank, way in enumerate(ways)))
        )

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        """What staff must look at, what they must pay, what has no answer; the oldest first."""
        return (F("rank"), "requested_at", "pk")

    @display(description=gettext_lazy("state"), label=REFUND_COLOURS)  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, refund: CourseEntitlementRefund) -> tuple[str, str]:
        return refund.status, refund.get_status_display()

    @admin.display(description=gettext_lazy("learner"))
    def learner(self, refund: CourseEntitlementRefund) -> User:
        return refund.entitlement.user

    @admin.display(description=gettext_lazy("waits"), empty_value="—")
    def age(self, refund: Any) -> str | None:
        """For how long it has waited, if it waits."""
        is_over = refund.rank is None
        return None if is_over else timesince(refund.requested_at, timezone.now())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        users = User.objects.by_login(term).values("pk")
        found = Q(order_number=term) | Q(entitlement__user__in=users)
        with suppress(ValueError):
            found |= Q(entitlement__uuid=UUID(term))
        return queryset.filter(found), False

    def get_urls(self) -> list[URLPattern]:
        deciding = [
            path(
                f"<int:pk>/{decision.name}/",
                self.admin_site.admin_view(self.decision_view),
                {"decision": decision},
                name=f"entitlements_courseentitlementrefund_{decision.name}",
            )
            for decision in DECISIONS
        ]
        return [*deciding, *super().get_urls()]

    def overview(self, request: HttpRequest, refund: CourseEntitlementRefund) -> dict[str, Any]:
        return {
            "title": _("Refund"),
            "colour": REFUND_COLOURS[RefundStatus(refund.status)],
            "age": self.age(refund),
            "next_action": next_of_refund(refund),
            "outbox_key": refund_key(refund.pk),
            "decisions": [
                (decision, _address(decision.name, refund.pk))
                for decision in DECISIONS
                if decision.is_possible(refund) and person(request).has_perm(SETTLE)
            ],
            **_paid_for(refund),
        }

    def decision_view(self, request: HttpRequest, pk: int, decision: Decision) -> HttpResponse:
        """Show what follows from a decision; with a comment, decide."""
        self.require(request, SETTLE)
        refunds = CourseEntitlementRefund.objects.select_related("entitlement")
        refund = get_object_or_404(refunds, pk=pk)
        asked = request.method == "POST"
        form = CommentForm(request.POST if asked else None)
        back = _address("change", pk)
        if asked and form.is_valid():
            by = decided_by(request, at=timezone.now())
            try:
                decision.act(refund_id=pk, by=by, **form.cleaned_data)
            except DomainError as refusal:
                self.message_user(request, refusal.message, messages.ERROR)
            else:
                self.message_user(request, decision.done, messages.SUCCESS)
            return redirect(back)
        return self.page(
            request,
            "admin/entitlements/decide.html",
            title=decision.title,
            button=decision.button,
            decision=decision,
            refund=refund,
            is_possible=decision.is_possible(refund),
            back=back,
            form=form,
            **_paid_for(refund),
        )


def _paid_for(refund: CourseEntitlementRefund) -> dict[str, Any]:
    """The entitlement as it stands, of a refund."""
    [held] = held_entitlements([refund.entitlement], at=timezone.now())
    return {"held": held}


def _address(name: str, pk: int) -> str:
    return reverse(f"admin:entitlements_courseentitlementrefund_{name}", args=[pk])
