"""What staff are asked before they decide."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanWidget,
)

from credentials_portal.core.admin import ReasonForm
from credentials_portal.core.admin_terms import ReasonedForm
from licenses.selectors.standing import PlanStanding
from subsidy_requests.enums import SubsidyType
from subsidy_requests.models import SubsidyRequestCustomerConfiguration
from subsidy_requests.selectors.review import CouponStanding, open_or_failed

LONGEST_DECLINE_REASON = 255
LARGEST_FILE = 5_000_000


class RetryForm(ReasonForm):
    notify = forms.BooleanField(
        label=_("Tell the learners by mail"),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
    )
    field_order = ("pool", "notify", "reason")


class ApproveForm(RetryForm):
    """From which of these plans, or coupons, the requests are granted."""

    pool = forms.ChoiceField(label=_("Granted from"), widget=UnfoldAdminSelectWidget)

    def __init__(
        self, *args: Any, pools: Sequence[PlanStanding] | Sequence[CouponStanding], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pool"].choices = [_choice(one) for one in pools]  # type: ignore[attr-defined]  # a ChoiceField


class DeclineForm(forms.Form):
    decline_reason = forms.CharField(
        label=_("Reason"),
        help_text=_("The learners read it, and it is kept with their requests."),
        max_length=LONGEST_DECLINE_REASON,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    notify = forms.BooleanField(
        label=_("Tell the learners by mail"),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
    )
    unlink = forms.BooleanField(
        label=_("Unlink them from the customer"),
        help_text=_("For good. Who holds a license of the customer stays linked."),
        required=False,
        widget=UnfoldBooleanWidget,
    )


class ConfigurationForm(ReasonedForm):
    """What a customer's learners may ask for. A change of it declines what they asked before."""

    is_decline_meant = forms.BooleanField(
        label=_("Decline the requests that are not granted yet"),
        help_text=_("Needed where what can be asked for is changed while requests wait."),
        required=False,
        widget=UnfoldBooleanWidget,
    )
    notify = forms.BooleanField(
        label=_("Tell the learners of declined requests by mail"),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
    )

    class Meta:
        model = SubsidyRequestCustomerConfiguration
        fields = ("customer", "subsidy_requests_enabled", "subsidy_type", "shows_contacts")

    def clean_subsidy_type(self) -> str | None:
        return self.cleaned_data["subsidy_type"] or None

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        former = self.initial.get("subsidy_type")
        if not former or given.get("subsidy_type") == former or given.get("is_decline_meant"):
            return given
        if count := open_or_failed(self.instance.customer, SubsidyType(former)):
            told = ngettext(
                "%d request would be declined by this change. Say that it is meant.",
                "%d requests would be declined by this change. Say that it is meant.",
                count,
            )
            self.add_error("is_decline_meant", told % count)
        return given


class CodesForm(forms.Form):
    """Codes, one on each line, written or in a file."""

    codes = forms.CharField(
        label=_("Codes"),
        help_text=_("One on each line."),
        required=False,
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    file = forms.FileField(
        label=_("Or a file of codes"),
        help_text=_("Text in UTF-8, one code on each line."),
        required=False,
        widget=UnfoldAdminFileFieldWidget,
    )

    def clean_file(self) -> list[str]:
        file = self.cleaned_data["file"]
        if not file:
            return []
        if file.size > LARGEST_FILE:
            raise forms.ValidationError(_("The file is too large: give it in parts of 5 MB."))
        try:
            text: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise forms.ValidationError(_("The file is no text in UTF-8."))
        return text.splitlines()

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and not self.all_codes:
            raise forms.ValidationError(_("Write at least one code, or choose a file."))
        return given

    @property
    def all_codes(self) -> list[str]:
        lines = [*self.cleaned_data["codes"].splitlines(), *self.cleaned_data["file"]]
        return [line.strip() for line in lines if line.strip()]


def _choice(pool: PlanStanding | CouponStanding) -> tuple[str, str]:
    if isinstance(pool, PlanStanding):
        left = ngettext("%d seat free", "%d seats free", pool.seats.unassigned)
        return str(pool.plan.uuid), f"{pool.plan.title}: {left % pool.seats.unassigned}"
    left = ngettext("%d code free", "%d codes free", pool.free)
    return str(pool.coupon.pk), f"{pool.coupon.title}: {left % pool.free}"
