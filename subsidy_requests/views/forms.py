"""What learners, and a customer's administrators, fill in."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.forms.boundfield import BoundWidget
from django.utils.translation import gettext_lazy as _

from licenses.selectors.standing import PlanStanding
from subsidy_requests.enums import SubsidyType
from subsidy_requests.models import MAX_REASON, SubsidyRequestCustomerConfiguration
from subsidy_requests.selectors.review import CouponStanding

LONGEST_COURSE = 128
LONGEST_DECLINE_REASON = 255

IN_ONE_WORD = RegexValidator(
    r"^\S+$", _("The key of a course is one word, such as NBx+NEG. You find it on its page.")
)


class AskForm(forms.Form):
    """A learner asks one of the customers that let them."""

    offer = forms.ChoiceField(
        label=_("Whom you ask"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose whom you ask."),
            "invalid_choice": _("They do not take requests any more. Choose somebody else."),
        },
    )
    course_id = forms.CharField(
        label=_("Course"),
        help_text=_("Its key, such as NBx+NEG. You find it on the course's page."),
        max_length=LONGEST_COURSE,
        required=False,
        validators=[IN_ONE_WORD],
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
        ),
    )
    reason = forms.CharField(
        label=_("Why you ask"),
        help_text=_("Those who decide read it. 1,000 characters at most."),
        max_length=MAX_REASON,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def __init__(
        self, *args: Any, offers: Sequence[SubsidyRequestCustomerConfiguration], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offers = {str(one.customer.uuid): one for one in offers}
        self.fields["offer"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            (uuid, _offered(one)) for uuid, one in self.offers.items()
        ]
        if len(self.offers) == 1:
            self.fields["offer"].widget = forms.HiddenInput()
            self.initial["offer"] = next(iter(self.offers))

    @property
    def chosen(self) -> SubsidyRequestCustomerConfiguration:
        return self.offers[self.cleaned_data["offer"]]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        is_for_code = "offer" in given and self.chosen.subsidy_type == SubsidyType.COUPON
        if is_for_code and not given.get("course_id") and "course_id" not in self.errors:
            self.add_error("course_id", _("A coupon code is asked for a course: write its key."))
        return given


class DecisionForm(forms.Form):
    """What every decision on requests asks."""

    notify = forms.BooleanField(label=_("Tell them by mail"), required=False, initial=True)


class ApproveForm(DecisionForm):
    """From which of these plans, or coupons, the requests are granted."""

    pool = forms.ChoiceField(
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose where it is taken from."),
            "invalid_choice": _("Nothing can be taken from it any more. Choose another one."),
        },
    )
    field_order = ("pool", "notify")

    def __init__(
        self, *args: Any, pools: Sequence[PlanStanding] | Sequence[CouponStanding], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.pools = {_key(one): one for one in pools}
        self.fields["pool"].choices = [(key, key) for key in self.pools]  # type: ignore[attr-defined]  # a ChoiceField
        if len(self.pools) == 1:
            self.initial["pool"] = next(iter(self.pools))

    @property
    def options(self) -> list[tuple[BoundWidget, PlanStanding | CouponStanding]]:
        """Each radio button with what is taken from."""
        return list(zip(self["pool"], self.pools.values(), strict=True))


class DeclineForm(DecisionForm):
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("The learner reads it. 255 characters at most."),
        max_length=LONGEST_DECLINE_REASON,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    unlink = forms.BooleanField(
        label=_("They no longer belong to us: unlink them, too"),
        help_text=_(
            "They cannot ask again, and a license does not link them again. They are not told of it"
            " by the portal. Who holds a license stays linked."
        ),
        required=False,
    )
    field_order = ("reason", "notify", "unlink")


def _offered(offer: SubsidyRequestCustomerConfiguration) -> str:
    told = {SubsidyType.LICENSE: _("%s: a license"), SubsidyType.COUPON: _("%s: a coupon code")}
    return str(told[SubsidyType(offer.subsidy_type or "")] % offer.customer.name)


def _key(pool: PlanStanding | CouponStanding) -> str:
    return str(pool.plan.uuid if isinstance(pool, PlanStanding) else pool.coupon.pk)
