"""Plans at the desk: made, downloaded, applied and rolled back by the services of the commands.

Nothing is decided here but who may, and how much one request does.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanWidget,
)

from credentials_portal.core.admin import ReasonForm
from credentials_portal.core.admin_pages import decided_by, person
from credentials_portal.core.caps import Cap, CapExceededError
from credentials_portal.core.downloads import csv_download
from credentials_portal.core.errors import ConflictError, DomainError
from credentials_portal.core.history import Attribution
from credentials_portal.core.locks import LockTakenError, SessionLock
from letters import selectors, services
from letters.admin.review import Review, parse_query, reasons_of
from letters.admin.story import standing
from letters.admin.viewing import ExactSearch
from letters.enums import (
    Against,
    LetterAction,
    LetterState,
    Outcome,
    PlannedAction,
    RunKind,
    RunStatus,
    describe_check,
)
from letters.models import LetterValidationRun
from letters.services import PlanScope
from programs.selectors import programs_by_title

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

PERMISSION = "letters.apply_letter_plan"
JUDGED_AT_ONCE = 10_000
CHANGED_AT_ONCE = 1_000
CHANGED_PER_REQUEST = 5_000

MOST_LISTED = 10_000
"""As far as the list of a plan's letters is counted and paged; the download has all."""

CONTINUED = "letters_plan_applied_halfway"
"""Where the session keeps what somebody gave, for the button that goes on."""

WILL: dict[str, "_StrPromise"] = {
    PlannedAction.SUSPEND: _("Suspended: %d. Whoever opens or verifies one is told so."),
    PlannedAction.LIFT: _("Valid again, because their suspension is lifted: %d."),
    PlannedAction.REISSUE: _("Issued again with today's date, under their old address: %d."),
}
DID: dict[str, "_StrPromise"] = {
    Outcome.CHANGED: _("Changed: %d."),
    Outcome.SKIPPED: _("Left alone, because something changed since the plan: %d."),
    Outcome.FAILED: _("Failed, and logged for an operator: %d."),
    Outcome.RESTORED: _("Put back: %d."),
    Outcome.KEPT: _("Left alone, because somebody touched them since: %d."),
}
LEVELS = {
    Outcome.CHANGED: messages.SUCCESS,
    Outcome.RESTORED: messages.SUCCESS,
    Outcome.FAILED: messages.ERROR,
}


class PlanForm(forms.Form):
    program = forms.ModelChoiceField(
        programs_by_title(),
        label=_("Program"),
        empty_label=_("all programs"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    states = forms.MultipleChoiceField(
        label=_("Letters in these states"),
        choices=LetterState.choices,
        initial=PlanScope.states,
        help_text=_("A revoked letter is judged if you ask for it, but no plan changes it."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    against = forms.ChoiceField(
        label=_("Judged by these requirements"),
        choices=Against.choices,
        initial=Against.ISSUE,
        widget=UnfoldAdminRadioSelectWidget,
    )

    def scope(self) -> PlanScope:
        program = self.cleaned_data["program"]
        return PlanScope(
            program_id=program.pk if program else None,
            states=tuple(LetterState(state) for state in self.cleaned_data["states"]),
            against=Against(self.cleaned_data["against"]),
        )


class ApplyForm(ReasonForm):
    nevertheless = forms.BooleanField(widget=UnfoldBooleanWidget)
    notify = forms.BooleanField(
        label=_("Tell the holders by mail"),
        help_text=_(
            "Only those who could have seen a letter that is suspended now; nobody is told the reason."
        ),
        required=False,
        widget=UnfoldBooleanWidget,
    )

    def __init__(self, *args: Any, excess: str, **kwargs: Any) -> None:
        """`excess` says what one agrees to beyond the cap; empty: the plan is within it."""
        super().__init__(*args, **kwargs)
        if excess:
            self.fields["nevertheless"].label = excess
        else:
            del self.fields["nevertheless"]


@dataclass(frozen=True)
class Prospects:
    """What applying a plan, or the piece of it that fails one check, would do now."""

    run: LetterValidationRun
    only: str | None
    left: int
    actions: list[str]
    reasons: list[tuple[str, str, int]]
    seen: int
    excess: str
    """What a person must agree to, because it is beyond the cap; empty within it."""

    @classmethod
    def of(cls, run: LetterValidationRun, only: str | None) -> "Prospects":
        actions: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        seen = 0
        left = services.left_to_apply(run, only).order_by()
        kinds = left.values_list("planned_action", "failed_checks")
        for action, codes, count, visible in kinds.annotate(
            Count("pk"), Count("letter__first_visible_at")
        ):
            actions[action] += count
            reasons.update(dict.fromkeys(codes, count))
            seen += visible
        return cls(
            run=run,
            only=only,
            left=actions.total(),
            actions=[str(WILL[action]) % count for action, count in actions.most_common()],
            reasons=[(code, describe_check(code), n) for code, n in reasons.most_common()],
            seen=seen,
            excess=_excess(run, only),
        )


class PlanPages(ExactSearch):
    """The pages on which plans are made and carried out; the admin of runs has them."""

    def get_urls(self) -> list[URLPattern]:
        pages: dict[str, tuple[str, Callable[..., HttpResponseBase]]] = {
            "make": ("make/", self.make_view),
            "download": ("<int:pk>/download/", self.download_view),
            "apply": ("<int:pk>/apply/", self.apply_view),
            "roll_back": ("<int:pk>/roll-back/", self.roll_back_view),
        }
        view = self.admin_site.admin_view
        named = [
            path(route, view(page), name=f"letters_lettervalidationrun_{name}")
            for name, (route, page) in pages.items()
        ]
        return [*named, *super().get_urls()]

    def plan_review(self, request: HttpRequest, run: LetterValidationRun) -> dict[str, Any]:
        """What the page of a plan shows of it."""
        selection, seed = parse_query(request.GET)
        review = Review(run, selection, seed, request.GET.get("page"))
        page, may = review.page, may_plan(request)
        return {
            "review": review,
            "standing": standing(run),
            "sample": reasons_of(review.sample),
            "results": reasons_of(page.object_list),
            "page": page,
            "is_capped": page.paginator.count >= MOST_LISTED,
            "previous": page.has_previous() and review.address_of_page(page.number - 1),
            "next": page.has_next() and review.address_of_page(page.number + 1),
            "may_plan": may,
            "may_apply": may and review.left > 0 and _may(services.require_applicable, run),
            "may_roll_back": (
                may and review.may_be_put_back and _may(services.require_rollbackable, run)
            ),
        }

    def make_view(self, request: HttpRequest) -> HttpResponse:
        """Ask which letters to judge; then judge them, and go to the plan."""
        self.require(request, PERMISSION)
        asked = request.method == "POST"
        form = PlanForm(request.POST if asked else None)
        if asked and form.is_valid():
            try:
                run = _make_plan(form.scope(), by=decided_by(request, at=timezone.now()))
            except DomainError as refusal:
                self.message_user(request, refusal.message, messages.ERROR)
            else:
                return redirect(address_of(run.pk))
        return self.page(
            request,
            "admin/letters/make_plan.html",
            title=_("Make a validation plan"),
            button=_("Judge the letters"),
            is_possible=True,
            back=reverse("admin:letters_lettervalidationrun_changelist"),
            form=form,
        )

    def download_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The plan's letters as CSV, those that the address selects."""
        self.require(request, "letters.view_lettervalidationrun")
        run = _plan(pk)
        selection, _seed = parse_query(request.GET)
        rows = selectors.plan_rows(run, where=selection.condition)
        return csv_download(f"letters-{run.uuid}.csv", selectors.PLAN_COLUMNS, rows)

    def apply_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what applying the plan would do to how many letters; with a reason, do it."""
        self.require(request, PERMISSION)
        run = _plan(pk)
        asked = request.method == "POST"
        try:
            only = _only(request.POST if asked else request.GET)
            services.require_applicable(run, only)
            prospects = Prospects.of(run, only)
            if not prospects.left:
                self.message_user(request, _("Nothing is left to apply."), messages.WARNING)
                return redirect(address_of(pk))
            form = ApplyForm(
                request.POST if asked else None,
                excess=prospects.excess,
                initial=_continued(request, run, only),
            )
            if asked and form.is_valid():
                return self._apply(request, run, only, form.cleaned_data)
            now = services.preview_apply(run, at=timezone.now(), only=only)
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return redirect(address_of(pk))
        return self.page(
            request,
            "admin/letters/apply_plan.html",
            title=_("Apply a validation plan"),
            button=_("Go on") if run.status == RunStatus.APPLYING else _("Apply"),
            is_possible=True,
            back=address_of(pk),
            run=run,
            form=form,
            prospects=prospects,
            skipped=now[Outcome.SKIPPED],
            reasons=[(code, describe_check(code)) for code in run.counters.get("reasons", {})],
            at_once=CHANGED_PER_REQUEST,
            cap=services.MAX_PERCENT,
        )

    def _apply(
        self,
        request: HttpRequest,
        run: LetterValidationRun,
        only: str | None,
        given: dict[str, Any],
    ) -> HttpResponse:
        by = decided_by(request, at=timezone.now(), reason=given["reason"])
        cap = Cap(max_percent=services.MAX_PERCENT, is_overridden=given.get("nevertheless", False))
        with _alone("apply_letter_plan"):
            services.check_cap(run, cap=cap, only=only)
            run = services.approve_plan(run, by=by, only=only)
            outcomes = _some_pages(
                lambda: services.apply_page(
                    run=run, size=CHANGED_AT_ONCE, by=by, only=only, notify=given["notify"]
                )
            )
            services.finish_apply(run)
        self._tell(request, outcomes)
        left = services.left_to_apply(run, only).filter(outcome=Outcome.OPEN).count()
        if not left:
            request.session.pop(CONTINUED, None)
            return redirect(address_of(run.pk))
        request.session[CONTINUED] = {"run": run.pk, "only": only, "given": given}
        self._tell_of_the_rest(request, outcomes, left)
        query = f"?{urlencode({'check': only})}" if only else ""
        return redirect(f"{address_of(run.pk, 'apply')}{query}")

    def roll_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what taking an applied plan back would do; with a reason, do it."""
        self.require(request, PERMISSION)
        run = _plan(pk)
        asked = request.method == "POST"
        form = ReasonForm(
            request.POST if asked else None, initial={"reason": _reason_of_rollback(run)}
        )
        try:
            services.require_rollbackable(run)
            now = services.preview_rollback(run)
            if not now:
                self.message_user(request, _("Nothing is left to put back."), messages.WARNING)
                return redirect(address_of(pk))
            if asked and form.is_valid():
                return self._roll_back(request, run, reason=form.cleaned_data["reason"])
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return redirect(address_of(pk))
        return self.page(
            request,
            "admin/letters/roll_back_plan.html",
            title=_("Roll a validation plan back"),
            button=_("Go on") if run.status == RunStatus.ROLLED_BACK else _("Roll back"),
            is_possible=True,
            back=address_of(pk),
            run=run,
            form=form,
            restored=now[Outcome.RESTORED],
            kept=now[Outcome.KEPT],
            at_once=CHANGED_PER_REQUEST,
        )

    def _roll_back(
        self, request: HttpRequest, run: LetterValidationRun, *, reason: str
    ) -> HttpResponse:
        by = decided_by(request, at=timezone.now(), reason=reason)
        with _alone("rollback_letter_run"):
            services.start_rollback(run, by=by)
            outcomes = _some_pages(
                lambda: services.roll_back_page(run=run, size=CHANGED_AT_ONCE, by=by)
            )
        self._tell(request, outcomes)
        left = run.results.filter(outcome=Outcome.CHANGED).count()
        if not left:
            return redirect(address_of(run.pk))
        self._tell_of_the_rest(request, outcomes, left)
        return redirect(address_of(run.pk, "roll_back"))

    def _tell(self, request: HttpRequest, outcomes: Counter[str]) -> None:
        for outcome, words in DID.items():
            if count := outcomes[outcome]:
                level = LEVELS.get(Outcome(outcome), messages.WARNING)
                self.message_user(request, str(words) % count, level)

    def _tell_of_the_rest(self, request: HttpRequest, outcomes: Counter[str], left: int) -> None:
        told = _("%(done)d done, %(left)d left. What is done stays done if you stop here.")
        counts = {"done": outcomes.total(), "left": left}
        self.message_user(request, str(told) % counts, messages.INFO)


def _continued(request: HttpRequest, run: LetterValidationRun, only: str | None) -> dict[str, Any]:
    """What the same person gave when this piece of the plan was applied halfway."""
    left: dict[str, Any] = request.session.get(CONTINUED, {})
    is_this = (left.get("run"), left.get("only")) == (run.pk, only)
    return left["given"] if is_this and run.status == RunStatus.APPLYING else {}


def address_of(pk: int, page: str = "change") -> str:
    return reverse(f"admin:letters_lettervalidationrun_{page}", args=[pk])


def may_plan(request: HttpRequest) -> bool:
    return person(request).has_perm(PERMISSION)


def _may(require: Callable[[LetterValidationRun], None], run: LetterValidationRun) -> bool:
    try:
        require(run)
    except ConflictError:
        return False
    return True


def _excess(run: LetterValidationRun, only: str | None) -> str:
    try:
        services.check_cap(run, cap=Cap(max_percent=services.MAX_PERCENT), only=only)
    except CapExceededError:
        changes, judged = services.planned_changes(run, only), run.results.count()
        told = _(
            "I have read the report: apply %(changes)d of %(judged)d (%(percent)s %%) nevertheless"
        )
        percent = number_format(round(changes * 100 / judged, 1), decimal_pos=1)
        return str(told) % {"changes": changes, "judged": judged, "percent": percent}
    return ""


def _only(query: Mapping[str, Any]) -> str | None:
    """The one check that is asked for. A malformed one must not become all of them."""
    check = parse_query(query)[0].check
    if check != query.get("check", ""):
        raise ConflictError(str(_("No letter of this plan fails such a check.")))
    return check or None


def _reason_of_rollback(run: LetterValidationRun) -> str:
    """The reason of a rollback that was left halfway."""
    event = run.events.filter(action=LetterAction.ROLLED_BACK).order_by("-pk").first()
    return event.note if event else ""


def _plan(pk: int) -> LetterValidationRun:
    return get_object_or_404(LetterValidationRun, pk=pk, kind=RunKind.PLAN)


def _make_plan(scope: PlanScope, *, by: Attribution) -> LetterValidationRun:
    with _alone("validate_letters"):
        run = services.start_plan(scope, by=by)
        for after, upto in services.pages(scope, size=JUDGED_AT_ONCE):
            services.plan_page(run=run, scope=scope, after=after, upto=upto)
        services.finish_plan(run, at=timezone.now(), is_complete=True)
    return run


@contextmanager
def _alone(command: str) -> Iterator[None]:
    """Within it nobody else does what this command does, at a desk or on the machine.

    Raises `ConflictError` when somebody does so already.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(SessionLock(command))
        except LockTakenError:
            told = _("Somebody else does this at the moment. Wait a minute, and look again.")
            raise ConflictError(str(told)) from None
        yield


def _some_pages(work: Callable[[], Counter[str]]) -> Counter[str]:
    """Do pages, each a transaction of its own, until nothing is left or a request did enough."""
    outcomes: Counter[str] = Counter()
    while outcomes.total() < CHANGED_PER_REQUEST:
        page = work()
        if not page:
            break
        outcomes += page
    return outcomes
