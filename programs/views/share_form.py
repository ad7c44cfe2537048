from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from programs.models import SharedProgramRecord

KEPT, NEVER = "kept", "never"
DAYS = {"7": _("7 days"), "30": _("30 days"), "90": _("90 days"), "365": _("a year")}


class ShareForm(forms.Form):
    """How long a link opens the record, and what of the learner it shows beside the name."""

    lifetime = forms.ChoiceField(
        label=_("How long the link works"),
        choices=[*DAYS.items(), (NEVER, _("until you revoke it"))],
        initial="90",
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how long the link works.")},
    )
    show_email = forms.BooleanField(label=_("Show your e-mail address"), required=False)
    show_username = forms.BooleanField(label=_("Show your username"), required=False)

    def choices_at(self, at: datetime) -> dict[str, Any]:
        """What `share_record` is told of what was chosen."""
        given = self.cleaned_data
        return {
            "expires_at": self._expiry(given["lifetime"], at),
            "show_email": given["show_email"],
            "show_username": given["show_username"],
        }

    def _expiry(self, lifetime: str, at: datetime) -> datetime | None:
        return None if lifetime == NEVER else at + timedelta(days=int(lifetime))


class ChangeShareForm(ShareForm):
    """The same of a link that there is already; its end may stay as it is."""

    def __init__(self, posted: QueryDict | None, *, link: SharedProgramRecord) -> None:
        shown = {"show_email": link.show_email, "show_username": link.show_username}
        super().__init__(posted, initial={"lifetime": KEPT, **shown})
        self.link = link
        kept = (KEPT, _("as it is now"))
        self.fields["lifetime"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            kept,
            *((days, _("%s from now") % words) for days, words in DAYS.items()),
            (NEVER, _("until you revoke it")),
        ]

    def _expiry(self, lifetime: str, at: datetime) -> datetime | None:
        return self.link.expires_at if lifetime == KEPT else super()._expiry(lifetime, at)
