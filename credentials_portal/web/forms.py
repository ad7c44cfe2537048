import re
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.forms import PasswordResetForm
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from credentials_portal.web.services import send_password_links

LETTER_ID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)


class FindLetter(forms.Form):
    letter = forms.CharField(
        label=_("Link or id of the letter"),
        help_text=_("You find both at the foot of the letter."),
        max_length=500,
        error_messages={"required": _("Paste the link or the id of a letter.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_letter(self) -> str:
        """The letter's id, from whatever stands around it."""
        found = LETTER_ID.search(self.cleaned_data["letter"])
        if not found:
            raise ValidationError(
                _("There is no letter id in this. An id has 32 letters and digits in five groups.")
            )
        return str(UUID(found[0]))

    def verification_path(self) -> str:
        # Not reversed: the path is printed on letters, so it can never change.
        return f"/letter/program/{self.cleaned_data['letter']}/verify/"


class AskForPasswordLink(PasswordResetForm):
    """Says the same whether the address is known or not, and takes as long."""

    def save(self, *_args: Any, **_mail_options: Any) -> None:
        users = self.get_users(self.cleaned_data["email"])
        send_password_links(users=users, at=timezone.now())
