"""What staff say when they act: why, and for whom or what."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from credentials_portal.accounts.models import User
from entitlements.enums import EntitlementMode
from programs.selectors import course_by_identifier

MOST_DAYS = 3_650


class CommentForm(forms.Form):
    comments = forms.CharField(
        label=_("Comment"),
        help_text=_(
            "Why. Kept with the entitlement for other staff, until its learner is retired."
        ),
        max_length=2_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
    )


class LeavingForm(CommentForm):
    leaves_run = forms.BooleanField(
        label=_("Its learner leaves the session"),
        help_text=_("Without a refund. The LMS is told."),
        required=False,
        widget=UnfoldBooleanWidget,
    )
    field_order = ("leaves_run", "comments")


class ExtensionForm(CommentForm):
    days = forms.IntegerField(
        label=_("Days to add"),
        min_value=1,
        max_value=MOST_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    field_order = ("days", "comments")


class LearnerField(forms.CharField):
    """Somebody, by username or e-mail address."""

    widget = UnfoldAdminTextInputWidget

    def clean(self, value: Any) -> User | None:
        login = super().clean(value)
        if not login:
            return None
        found = list(User.objects.by_login(login).filter(retired_at=None))
        if len(found) != 1:
            raise ValidationError(_("There is nobody with this username or e-mail address."))
        person: User = found[0]
        return person


class CourseField(forms.CharField):
    """The uuid of a course, by its key or by itself."""

    widget = UnfoldAdminTextInputWidget

    def clean(self, value: Any) -> UUID | None:
        identifier = super().clean(value)
        if not identifier:
            return None
        course_uuid = course_by_identifier(identifier)
        if course_uuid is None:
            raise ValidationError(_("There is no course with this key or uuid."))
        return course_uuid


class TransferForm(CommentForm):
    user = LearnerField(
        label=_("New learner"),
        help_text=_("Username or e-mail address; empty: the same."),
        required=False,
    )
    course_uuid = CourseField(
        label=_("New course"), help_text=_("Its key or uuid; empty: the same."), required=False
    )
    field_order = ("user", "course_uuid", "comments")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        is_named = any(self.data.get(self.add_prefix(name)) for name in ("user", "course_uuid"))
        if not is_named:
            raise ValidationError(_("Name the new learner, the new course, or both."))
        return given


class CreationForm(CommentForm):
    user = LearnerField(label=_("Learner"), help_text=_("Username or e-mail address."))
    course_uuid = CourseField(label=_("Course"), help_text=_("Its key or uuid."))
    mode = forms.ChoiceField(
        label=_("Mode"), choices=EntitlementMode.choices, widget=UnfoldAdminSelectWidget
    )
    order_number = forms.CharField(
        label=_("Order number"),
        help_text=_("Empty where nobody paid."),
        max_length=128,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )
    is_refundable = forms.BooleanField(
        label=_("May be refunded"),
        help_text=_("Only with an order, and in the time that its policy gives."),
        required=False,
        widget=UnfoldBooleanWidget,
    )
    field_order = ("user", "course_uuid", "mode", "order_number", "is_refundable", "comments")
