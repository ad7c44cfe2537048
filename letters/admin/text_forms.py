"""Forms for what a program's letters say: Markdown, pictures, signatories."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldBooleanWidget,
)

from credentials_portal.core.admin import ReasonForm
from letters import services
from letters.documents.markdown import problems
from letters.documents.pictures import MAX_BYTES, BadPictureError
from letters.models import LetterPicture, LetterSignatory, ProgramLetterTemplate
from letters.selectors import Publication, Withdrawal
from letters.services import SeenPublication

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
ROWS = {"header": 3, "text": 16, "footer": 4}


@dataclass(frozen=True)
class ChosenPicture:
    """What a form says of a picture: a new one, none, or the one that it showed."""

    upload: "UploadedFile[Any] | None"
    is_removed: bool
    shown: str


class PictureInput(forms.FileInput):
    """Shows the present picture, and takes another one or none in its place."""

    template_name = "admin/letters/text_picture_input.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, None, attrs)
        context["widget"] |= {
            "picture": _picture(value),
            "remove_name": f"{name}-remove",
            "shown_name": f"{name}-shown",
        }
        return context

    def _render(self, template_name: str, context: Any, renderer: Any = None) -> SafeString:
        # Among the portal's own templates; a form's renderer knows only those of apps.
        return render_to_string(template_name, context)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> ChosenPicture:
        return ChosenPicture(
            upload=files.get(name),
            is_removed=f"{name}-remove" in data,
            shown=data.get(f"{name}-shown") or "",
        )

    def use_required_attribute(self, initial: Any) -> bool:
        return False


class PictureField(forms.FileField):
    """A logo or a signature; its value is a `LetterPicture`, or None.

    An upload is stored once it was found to be a picture, so that an error elsewhere in the form
    does not lose it: the form shows it, and knows it again.
    """

    widget = PictureInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            help_text=_(
                "A PNG or JPEG of at most 1 MB. It is printed without what else the file holds."
            ),
            **kwargs,
        )
        self._chosen: LetterPicture | None = None

    def clean(self, data: ChosenPicture, initial: Any = None) -> LetterPicture | None:
        self._chosen = None if data.is_removed else _picture(data.shown or initial)
        if data.upload:
            try:
                self._chosen = services.save_picture(data.upload.read(MAX_BYTES + 1))
            except BadPictureError as refusal:
                raise ValidationError(refusal.message) from refusal
        return self._chosen

    def bound_data(self, _data: Any, initial: Any) -> Any:
        return self._chosen.pk if self._chosen else None

    def has_changed(self, initial: Any, data: ChosenPicture | None) -> bool:
        if data is None:
            return False
        is_another = bool(data.shown) and data.shown != initial
        return bool(data.upload) or data.is_removed or is_another


def _picture(sha256: str | None) -> LetterPicture | None:
    if not sha256 or not SHA256.fullmatch(sha256):
        return None
    return LetterPicture.objects.defer("content").filter(pk=sha256).first()


class TextForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A draft. `seen` says which one its reader saw, so that nobody overwrites what they did not."""

    logo = PictureField(label=_("Logo"))
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = ProgramLetterTemplate
        fields = ("program", "header", "text", "footer", "logo")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["seen"] = self.instance.modified.isoformat()
        for name, rows in ROWS.items():
            if name in self.fields:
                self.fields[name].widget.attrs["rows"] = rows

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for name in ROWS:
            for problem in problems(given.get(name) or ""):
                self.add_error(name, problem)
        if self.instance.pk and parse_seen_at(given.get("seen", "")) != self.instance.modified:
            self._ask_again()
        return given

    def _ask_again(self) -> None:
        """Somebody saved the draft meanwhile: who saves once more has been told."""
        data = QueryDict(mutable=True)
        data.update(self.data)
        data[self.add_prefix("seen")] = self.instance.modified.isoformat()
        self.data = data
        self.add_error(
            None,
            _(
                "Somebody else saved this draft while you were editing it. Nothing of yours was"
                " saved, and nothing is lost: it stands below. Compare it with the draft as it is"
                " now, in another tab; if you save again, yours takes its place."
            ),
        )


class SignatoryForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    position = forms.IntegerField(
        label=_("Place"),
        help_text=_("1 signs first. Empty: after the others."),
        required=False,
        min_value=0,
        max_value=99,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    signature = PictureField(label=_("Signature"))

    class Meta:
        model = LetterSignatory
        fields = ("position", "name", "title_line_1", "title_line_2", "signature")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            self.initial["position"] = None


class PublishForm(ReasonForm):
    """What a person agrees to; `seen` carries what they were shown."""

    # The page itself says what is missing, and that nothing happened.
    use_required_attribute = False

    nevertheless = forms.BooleanField(widget=UnfoldBooleanWidget)
    notify = forms.BooleanField(required=False, widget=UnfoldBooleanWidget)
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    field_order = ("nevertheless", "reason", "notify", "seen")

    def __init__(
        self, *args: Any, seen: SeenPublication, publication: Publication | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = write_seen(seen)
        if seen.failing:
            self.fields["nevertheless"].label = _("Show them nevertheless")
            self.fields["reason"].help_text = _("Why. Kept in the history; name no person.")
        else:
            del self.fields["nevertheless"]
            self.fields["reason"].required = False
            self.fields["reason"].help_text = _(
                "If there is one. Kept in the history; name no person."
            )
        if publication and publication.unseen:
            self.fields["notify"].label = _("Tell the holders by mail: %d") % publication.unseen
            self.fields["notify"].help_text = _(
                "Only those whose letter was never to be seen before, and who have an address."
            )
        elif publication:
            del self.fields["notify"]


class WithdrawForm(ReasonForm):
    every_revision = forms.TypedChoiceField(
        label=_("What is withdrawn"),
        coerce=lambda value: value == "all",
        initial="this",
        widget=UnfoldAdminRadioSelectWidget,
    )
    field_order = ("every_revision", "reason")
    use_required_attribute = False

    def __init__(self, *args: Any, withdrawal: Withdrawal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _("Why. Kept in the history; name no person.")
        self.fields["every_revision"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            (
                "this",
                _("This revision; letters that disappear: %d") % withdrawal.of_revision,
            ),
            (
                "all",
                _("All revisions of the program; letters that disappear: %d")
                % withdrawal.of_program,
            ),
        ]


def write_seen(seen: SeenPublication) -> str:
    return f"{seen.modified.isoformat() if seen.modified else ''} {seen.failing}"


def parse_seen_publication(text: str) -> SeenPublication:
    """What a form carried; whatever it is not sure of was not seen."""
    modified, _blank, failing = text.partition(" ")
    is_number = failing.isascii() and failing.isdecimal() and len(failing) < 10
    return SeenPublication(parse_seen_at(modified), int(failing) if is_number else 0)


def parse_seen_at(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:
        return None
