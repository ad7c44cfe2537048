"""What staff edit by hand, in several apps: terms, each change with its reason."""

from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from credentials_portal.core.admin import CappedPaginator
from credentials_portal.core.admin_pages import OwnPages, decided_by
from credentials_portal.core.history import save_with_history


class ReasonedForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A change of terms, with what it is for."""

    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("Kept in the history; name no person."),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class EditedByStaff(SimpleHistoryAdmin, OwnPages):
    """Terms that staff agree with customers: saved with who did it and why; never deleted."""

    form = ReasonedForm
    paginator = CappedPaginator
    show_full_result_count = False
    list_filter_submit = True
    list_per_page = 50

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        """The past is shown, not brought back."""
        return True

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        reason = form.cleaned_data.get("reason", "")
        save_with_history(obj, by=decided_by(request, at=timezone.now(), reason=reason))
