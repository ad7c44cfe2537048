"""What staff do about credit requests: withdraw one, ask for a learner."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from credentials_portal.accounts.models import User
from credentials_portal.core.admin_pages import LookedAt
from credentials_portal.core.errors import DomainError
from programs.admin.staff import ReasonForm, by_staff
from programs.enums import LISTED, CreditRequestSource
from programs.models import PathwayProgram, Program, UserCreditPathway
from programs.selectors import record_of
from programs.selectors.credit import ANSWERABLE_FOR, REACHED, OfferedPathway, pathways_of
from programs.services.credit import request_credit, withdraw_request

ASK = "programs.request_credit_for_learner"
WITHDRAW = "programs.change_usercreditpathway"


class ChoosingForm(forms.Form):
    """For whom, and about which program."""

    learner = forms.CharField(
        label=_("Learner"),
        help_text=_("The whole username or e-mail address."),
        max_length=254,
        widget=UnfoldAdminTextInputWidget,
    )
    program = forms.ModelChoiceField(
        label=_("Program"),
        help_text=_("Those that a pathway takes."),
        queryset=Program.objects.none(),
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["program"].queryset = _programs_taken()  # type: ignore[attr-defined]  # of a ModelChoiceField

    def clean_learner(self) -> User:
        found = list(_learners().by_login(self.cleaned_data["learner"].strip())[:2])
        if len(found) != 1:
            raise forms.ValidationError(_("There is no learner of this name or address."))
        learner: User = found[0]
        return learner


class AskingForm(forms.Form):
    """To whom, and why."""

    pathway = forms.TypedChoiceField(
        label=_("To whom it is sent"), coerce=int, widget=UnfoldAdminRadioSelectWidget
    )
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("The learner reads it; the institution does not. Kept with your name."),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, offered: Sequence[OfferedPathway], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pathway"].choices = [  # type: ignore[attr-defined]  # of a ChoiceField
            (one.id, f"{one.name}, {one.org_name}: {one.pathway.email}") for one in offered
        ]


class ActPages(LookedAt):
    """The pages between the wish and its doing."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = "programs_usercreditpathway"
        return [
            path("ask/", view(self.choose_view), name=f"{name}_ask"),
            path(
                "ask/<int:user_id>/<int:program_id>/", view(self.ask_view), name=f"{name}_ask_for"
            ),
            path("<int:pk>/withdraw/", view(self.withdraw_view), name=f"{name}_withdraw"),
            *super().get_urls(),
        ]

    def choose_view(self, request: HttpRequest) -> HttpResponse:
        """For whom to ask; names stay out of addresses."""
        self.require(request, ASK)
        form = ChoosingForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            chosen = [form.cleaned_data["learner"].pk, form.cleaned_data["program"].pk]
            return redirect(_address("ask_for", *chosen))
        return self.page(
            request,
            "programs/admin/credit_choose.html",
            title=_("Ask for credit for a learner"),
            button=_("Go on"),
            is_possible=True,
            back=_address("changelist"),
            form=form,
        )

    def ask_view(self, request: HttpRequest, user_id: int, program_id: int) -> HttpResponse:
        """What goes to whom; with a reason, send it."""
        self.require(request, ASK)
        learner = get_object_or_404(_learners(), pk=user_id)
        program = get_object_or_404(Program, pk=program_id)
        offered = pathways_of(program_id=program.pk, user_id=learner.pk)
        form = AskingForm(request.POST if request.method == "POST" else None, offered=offered)
        if form.is_valid() and (asked := self._ask(request, learner, program, form.cleaned_data)):
            return redirect(_address("change", asked.pk))
        at = timezone.now()
        return self.page(
            request,
            "programs/admin/credit_ask.html",
            title=_("Ask for credit for a learner"),
            button=_("Send this request"),
            is_possible=bool(offered),
            back=_address("ask"),
            learner=learner,
            program=program,
            record=record_of(user_id=learner.pk, program_uuid=program.uuid, at=at),
            ends_at=at + ANSWERABLE_FOR,
            offered=offered,
            form=form,
        )

    def _ask(
        self, request: HttpRequest, learner: User, program: Program, given: dict[str, Any]
    ) -> UserCreditPathway | None:
        """The request; none, with a message, where it was refused."""
        try:
            asked, is_new = request_credit(
                user=learner,
                program=program,
                pathway_id=given["pathway"],
                source=CreditRequestSource.STAFF,
                on_behalf_reason=given["reason"],
                by=by_staff(request, given["reason"]),
            )
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return None
        if is_new:
            self.message_user(request, _("The request waits to be sent."), messages.SUCCESS)
        else:
            told = _("The same request was made a moment ago: this is that one.")
            self.message_user(request, told, messages.WARNING)
        return asked

    def withdraw_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What follows from withdrawing; with a reason, do it."""
        self.require(request, WITHDRAW)
        asked = get_object_or_404(self.get_queryset(request), pk=pk)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_valid() and self._withdraw(request, asked, form.cleaned_data["reason"]):
            return redirect(_address("change", pk))
        return self.page(
            request,
            "programs/admin/credit_withdraw.html",
            title=_("Withdraw a request"),
            button=_("Withdraw this request"),
            is_possible=asked.status in REACHED,
            back=_address("change", pk),
            asked=asked,
            form=form,
        )

    def _withdraw(self, request: HttpRequest, asked: UserCreditPathway, reason: str) -> bool:
        try:
            withdraw_request(request_uuid=asked.uuid, by=by_staff(request, reason))
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return False
        self.message_user(request, _("The request is withdrawn."), messages.SUCCESS)
        return True


def _learners() -> Any:
    return User.objects.filter(is_active=True)


def _programs_taken() -> QuerySet[Program]:
    links = PathwayProgram.objects.filter(program=OuterRef("pk"))
    open_ones = Program.objects.filter(Exists(links), status__in=LISTED)
    return open_ones.order_by("title", "pk")


def _address(page: str, *args: Any) -> str:
    return reverse(f"admin:programs_usercreditpathway_{page}", args=args)
