"""What a customer's administrators fill in."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from credentials_portal.accounts.models import normalise_email

AT_ONCE = 1_000
TOLD = 10
LONGEST_ADDRESS = 254
YEARS_AHEAD = 50


class MailForm(forms.Form):
    """An administrator's own words around the portal's."""

    greeting = forms.CharField(
        label=_("Your words at the beginning of the mail"),
        required=False,
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    closing = forms.CharField(
        label=_("Your words at the end of the mail"),
        required=False,
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class AssignForm(MailForm):
    emails = forms.CharField(
        label=_("E-mail addresses"),
        help_text=_("One on each line, 1,000 at most."),
        error_messages={"required": _("Write at least one e-mail address.")},
        widget=forms.Textarea(
            attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
        ),
    )
    notify = forms.BooleanField(
        label=_("Tell them by mail, with the link that activates the license"),
        required=False,
        initial=True,
    )
    field_order = ("emails", "notify", "greeting", "closing")

    def clean_emails(self) -> list[str]:
        """The addresses in lower case, each once."""
        lines = [line.strip() for line in self.cleaned_data["emails"].splitlines()]
        wrong = [number for number, line in enumerate(lines, 1) if line and not _is_address(line)]
        if wrong:
            raise ValidationError(_wrong_lines(wrong))
        addresses = list(dict.fromkeys(normalise_email(line) for line in lines if line))
        if len(addresses) > AT_ONCE:
            told = _("These are %(count)d addresses. Give them in parts of 1,000.")
            raise ValidationError(told, params={"count": len(addresses)})
        return addresses


class DayForm(forms.Form):
    """A day to look ahead to."""

    on = forms.DateField(
        label=_("Another day"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": _("Write a day such as 2027-05-03.")},
    )

    def clean_on(self) -> date:
        day: date = self.cleaned_data["on"]
        if day < timezone.localdate():
            raise ValidationError(_("This day is past: choose one to come."))
        if day.year > timezone.localdate().year + YEARS_AHEAD:
            raise ValidationError(_("This day is too far away."))
        return day


def _is_address(line: str) -> bool:
    try:
        validate_email(line)
    except ValidationError:
        return False
    return len(line) <= LONGEST_ADDRESS


def _wrong_lines(numbers: list[int]) -> Any:
    told = ", ".join(map(str, numbers[:TOLD])) + (" …" if len(numbers) > TOLD else "")
    return ngettext(
        "Line %(lines)s is no e-mail address.",
        "These lines are no e-mail addresses: %(lines)s.",
        len(numbers),
    ) % {"lines": told}
