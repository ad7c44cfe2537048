"""What learners agree to when they ask for credit, and what institutions answer."""

from hashlib import sha256
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from programs.enums import CreditAnswer
from programs.models.pathways import MAX_NOTE


class TickedAnew(forms.CheckboxInput):
    """A box that is never ticked before a person ticks it."""

    def get_context(self, name: str, _value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, False, attrs)


class ConsentForm(forms.Form):
    """A learner agrees to `words`: to those that they were shown, and to no others.

    The page posts `words_shown` back as `shown`.
    """

    consent = forms.BooleanField(
        label=_("I agree"),
        error_messages={"required": _("Agree to it, or nothing is sent.")},
        widget=TickedAnew,
    )
    shown = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None, *, words: str) -> None:
        super().__init__(data)
        self.words_shown = sha256(words.encode()).hexdigest()

    def clean_shown(self) -> str:
        if self.cleaned_data["shown"] != self.words_shown:
            raise ValidationError(
                _("What you agree to was changed meanwhile. Nothing was sent: read it again.")
            )
        return self.words_shown


class NoteField(forms.CharField):
    """A text with lines: browsers send two characters for the end of one."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n")


class AnswerForm(forms.Form):
    """An institution's answer to a request."""

    answer = forms.ChoiceField(
        label=_("What do you answer?"),
        choices=[
            (CreditAnswer.RECEIVED, _("We have received it, and look at it")),
            (CreditAnswer.GRANTED, _("Credit is granted")),
            (CreditAnswer.REFUSED, _("Credit is refused")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose an answer.")},
    )
    note = NoteField(
        label=_("A note to the learner"),
        help_text=_("The learner reads it as you write it. 2,000 characters at most."),
        max_length=MAX_NOTE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
