import re

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

LETTER_ID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)


class FindLetter(forms.Form):
    letter = forms.CharField(
        label=_("Link or id of the letter"),
        help_text=_("You find both at the foot of the letter."),
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_letter(self) -> str:
        """The letter's id, from whatever stands around it."""
        found = LETTER_ID.search(self.cleaned_data["letter"])
        if not found:
            raise ValidationError(
                _("This holds no letter id. An id has 32 letters and digits in five groups.")
            )
        return found[0].lower()

    def verification_path(self) -> str:
        # Not reversed: the path is printed on letters, so it can never change.
        return f"/letter/program/{self.cleaned_data['letter']}/verify/"
