"""Giving or extending many entitlements at once, row by row of a table that staff paste."""

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from entitlements.admin.forms import CommentForm, CreationForm, ExtensionForm
from entitlements.models import CourseEntitlement
from entitlements.services.supporting import create_entitlement, extend_entitlement

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

MOST_ROWS = 500
# For how long a table that was carried out is known, so that a second click does nothing.
REMEMBERED_SECONDS = 24 * 3600


class ExtensionRow(ExtensionForm):
    entitlement_uuid = forms.UUIDField(label=gettext_lazy("entitlement"))


@dataclass(frozen=True)
class Deed:
    """What can be done for each row: its columns with the fields of `form`, which judges a row.

    `act` takes those fields, `by`, and of a deed `by_site` also `site_id`.
    """

    name: str
    label: "_StrPromise"
    columns: Mapping[str, str]
    form: type[CommentForm]
    act: Callable[..., object]
    by_site: bool = False


def give(*, is_refundable: bool, **given: Any) -> CourseEntitlement:
    """As `create_entitlement`, in the words of the form."""
    return create_entitlement(refund_locked=not is_refundable, **given)


GIVE = Deed(
    name="give",
    label=gettext_lazy("Give: learner, course, mode, order_number, refundable"),
    columns={
        "learner": "user",
        "course": "course_uuid",
        "mode": "mode",
        "order_number": "order_number",
        "refundable": "is_refundable",
    },
    form=CreationForm,
    act=give,
    by_site=True,
)
EXTEND = Deed(
    name="extend",
    label=gettext_lazy("Extend: entitlement, days"),
    columns={"entitlement": "entitlement_uuid", "days": "days"},
    form=ExtensionRow,
    act=extend_entitlement,
)
DEEDS = {deed.name: deed for deed in (GIVE, EXTEND)}


@dataclass(frozen=True)
class Verdict:
    """What became, or would become, of a row: `refusal` is empty where it is done."""

    number: int
    cells: tuple[str, ...]
    refusal: str = ""


class ManyForm(CommentForm):
    """The table and what is to be done with it.

    `checked` is the fingerprint of the table that was shown with its verdicts, so that nothing is
    done to another one; `token` lets it be carried out once.
    """

    deed = forms.ChoiceField(
        label=gettext_lazy("What to do, and the columns for it"),
        choices=[(deed.name, deed.label) for deed in DEEDS.values()],
        widget=UnfoldAdminSelectWidget,
    )
    table = forms.CharField(
        label=gettext_lazy("Table"),
        help_text=gettext_lazy(
            "As CSV, or pasted from a spreadsheet, with the names of the columns in the first"
            " line. Columns in which all is empty can be left out."
        ),
        max_length=200_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12, "spellcheck": "false"}),
    )
    checked = forms.CharField(required=False, widget=forms.HiddenInput)
    token = forms.CharField(required=False, widget=forms.HiddenInput)
    field_order = ("deed", "table", "comments")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        deed, table = DEEDS.get(given.get("deed", "")), given.get("table")
        if deed and table:
            given["rows"] = _rows(deed, table)
        return given

    @property
    def fingerprint(self) -> str:
        given = [self.cleaned_data[name] for name in ("deed", "table", "comments")]
        return sha256("\0".join(given).encode()).hexdigest()

    @property
    def is_checked(self) -> bool:
        return bool(self.cleaned_data["checked"] == self.fingerprint)

    @property
    def chosen(self) -> Deed:
        return DEEDS[self.cleaned_data["deed"]]

    def confirming(self) -> "ManyForm":
        """The same, ready to be carried out."""
        state = {"checked": self.fingerprint, "token": uuid4().hex}
        return ManyForm({**{name: self.data[name] for name in self.field_order}, **state})


def try_out(form: ManyForm, *, site_id: int, by: Attribution) -> list[Verdict]:
    """What would become of each row: it is done, and taken back."""
    with transaction.atomic():
        verdicts = carry_out(form, site_id=site_id, by=by)
        transaction.set_rollback(True)
    return verdicts


def claim(form: ManyForm) -> bool:
    """Whether this table is carried out now for the first time."""
    token = form.cleaned_data["token"]
    return cache.add(f"entitlements.many:{token}", 1, timeout=REMEMBERED_SECONDS)


def carry_out(form: ManyForm, *, site_id: int, by: Attribution) -> list[Verdict]:
    """Do it for each row by itself; what is refused leaves the others alone."""
    deed, comments = form.chosen, form.cleaned_data["comments"]
    act = partial(deed.act, by=by, **({"site_id": site_id} if deed.by_site else {}))
    return [
        Verdict(number, tuple(row.values()), _refusal(deed, row, comments, act))
        for number, row in form.cleaned_data["rows"]
    ]


def _refusal(deed: Deed, row: Mapping[str, str], comments: str, act: Callable[..., object]) -> str:
    """Do it; why it was refused, or nothing."""
    given = {field: row.get(column, "") for column, field in deed.columns.items()}
    form = deed.form({**given, "comments": comments})
    if not form.is_valid():
        return "; ".join(_errors(form))
    try:
        with transaction.atomic():
            act(**form.cleaned_data)
    except DomainError as refusal:
        return refusal.message
    return ""


def _errors(form: forms.Form) -> Iterable[str]:
    for name, errors in form.errors.items():
        label = form.fields[name].label if name in form.fields else None
        for error in errors:
            yield f"{label}: {error}" if label else str(error)


def _rows(deed: Deed, table: str) -> list[tuple[int, dict[str, str]]]:
    """The rows with the numbers of their lines; raises `ValidationError`."""
    lines = table.strip("\n").splitlines()
    reader = csv.reader(lines, delimiter="\t" if "\t" in lines[0] else ",")
    names = [name.strip().lower() for name in next(reader)]
    if unknown := [name for name in names if name not in deed.columns]:
        raise ValidationError({"table": _("There is no such column: %s") % ", ".join(unknown)})
    rows = []
    for cells in reader:
        values = [cell.strip() for cell in cells]
        if len(values) > len(names):
            raise ValidationError({"table": _("Line %d has too many cells.") % reader.line_num})
        if any(values):
            rows.append((reader.line_num, dict(zip(names, values, strict=False))))
    if not rows or len(rows) > MOST_ROWS:
        raise ValidationError({"table": _("Between 1 and %d rows, please.") % MOST_ROWS})
    return rows
