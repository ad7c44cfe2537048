"""What learners fill in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.forms.boundfield import BoundWidget
from django.utils.translation import gettext_lazy as _

from entitlements.selectors.sessions import Session
from programs.selectors import RunOffer


class SessionForm(forms.Form):
    """One of these sessions, which the page shows with their dates."""

    def __init__(self, *args: Any, sessions: Sequence[Session], mode: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mode = mode
        self.sessions = {session.offer.key: session for session in sessions}
        self.fields["course_run"] = forms.ChoiceField(
            choices=[(key, session.offer.title) for key, session in self.sessions.items()],
            widget=forms.RadioSelect,
            label=_("Session"),
            error_messages={
                "required": _("Choose a session."),
                "invalid_choice": _("This session cannot be taken any more. Choose another one."),
            },
        )

    @property
    def options(self) -> list[tuple[BoundWidget, RunOffer, datetime | None]]:
        """Each radio button with its run, and until when that can be taken."""
        offers = [session.offer for session in self.sessions.values()]
        return [
            (radio, offer, offer.open_until(self.mode))
            for radio, offer in zip(self["course_run"], offers, strict=True)
        ]

    @property
    def chosen(self) -> Session:
        return self.sessions[self.cleaned_data["course_run"]]
