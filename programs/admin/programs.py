import difflib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from credentials_portal.core.errors import ConflictError, DomainError
from credentials_portal.core.history import Attribution
from programs import services
from programs.admin.catalog import PartOfParent
from programs.admin.staff import EditedByStaff, by_staff, reason_field
from programs.models import Course, CourseRun, Program, ProgramAuthor
from programs.services import RequiredGroup


class ProgramAuthorInline(PartOfParent):
    model = ProgramAuthor
    autocomplete_fields = ("organization",)


class KeysField(forms.CharField):
    """Keys of courses or runs, one in a line; cleaned to their ids, in order."""

    def __init__(self, model: type[Course] | type[CourseRun], **kwargs: Any) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": 6})
        super().__init__(widget=widget, **kwargs)
        self.model = model

    def clean(self, value: Any) -> Any:
        keys = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        ids = dict(self.model.objects.filter(key__in=keys).values_list("key", "pk"))
        unknown = [key for key in keys if key not in ids]
        if unknown:
            raise forms.ValidationError(_("Unknown: %s") % ", ".join(unknown))
        if len(set(keys)) < len(keys):
            raise forms.ValidationError(_("A key stands here twice."))
        return tuple(ids[key] for key in keys)


class ChangeForm(forms.Form):
    """`seen` is the state that the reader saw: what changed meanwhile is not overwritten."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    reason = reason_field()


class RunsForm(ChangeForm):
    course_runs = KeysField(
        CourseRun,
        label=_("Included runs"),
        required=False,
        help_text=_("Keys of runs, one in a line, in the order in which to show them."),
    )
    field_order = ("course_runs", "reason")


class GroupForm(forms.Form):
    # Which of the program's elective sets it is, so that it stays the same one under a new title.
    number = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    title = forms.CharField(
        label=_("Title"), required=False, max_length=255, widget=UnfoldAdminTextInputWidget()
    )
    required_number = forms.IntegerField(
        label=_("How many of them"),
        required=False,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Empty: the core, of which all are required."),
    )
    courses = KeysField(
        Course,
        label=_("Courses"),
        required=False,
        help_text=_("Keys of courses, one in a line. None: the group is left out."),
    )

    def group(self) -> RequiredGroup:
        cleaned = self.cleaned_data
        return RequiredGroup(
            cleaned["courses"], cleaned["required_number"], cleaned["title"], cleaned["number"]
        )


GroupFormSet = forms.formset_factory(GroupForm, extra=2)


@admin.register(Program)
class ProgramAdmin(EditedByStaff):
    """Requirements and included runs have pages of their own, which show what a change does."""

    list_display = ("title", "type", "status")
    list_filter = ("status",)
    search_fields = ("title", "uuid")
    readonly_fields = ("uuid", "included_runs", "requirements")
    fields = (
        *("title", "type", "type_slug", "status", "total_hours_of_effort"),
        *("uuid", "included_runs", "requirements"),
    )
    inlines: ClassVar = (ProgramAuthorInline,)
    actions_detail = ("define_requirements", "include_runs")

    @admin.display(description=_("Included runs"))
    def included_runs(self, program: Program) -> SafeString:
        rows = program.included_runs.select_related("course_run__course")
        return render_to_string("programs/admin/included_runs.html", {"rows": rows})

    @admin.display(description=_("Requirements"))
    def requirements(self, program: Program) -> SafeString:
        versions = program.requirements_versions.order_by("-number").select_related("created_by")
        return render_to_string(
            "programs/admin/requirements.html",
            {"versions": versions.prefetch_related("groups__courses__course")},
        )

    @action(description=_("Define requirements"), url_path="requirements", permissions=["change"])  # type: ignore[untyped-decorator]  # unfold's
    def define_requirements(self, request: HttpRequest, object_id: str) -> HttpResponse:
        program = self._program(request, object_id)
        groups = _groups_in_force(program)
        posted = request.POST or None
        form = ChangeForm(posted, initial={"seen": _digest(_lines(groups))})
        # What was posted stands for itself: beside initial values, equal forms would count as empty.
        initial = None if posted else _initial(groups)
        formset = GroupFormSet(posted, initial=initial, prefix="groups")

        def change(by: Attribution) -> None:
            services.define_requirements(
                program=program, groups=_wanted(formset), note=by.reason, by=by
            )

        return self._change(
            request,
            program,
            Change(
                title=_("Define requirements"),
                form=form,
                formset=formset,
                now=lambda: _lines(_groups_in_force(program)),
                then=lambda: _lines(_wanted(formset)),
                make=change,
            ),
        )

    @action(description=_("Include runs"), url_path="runs", permissions=["change"])  # type: ignore[untyped-decorator]  # unfold's
    def include_runs(self, request: HttpRequest, object_id: str) -> HttpResponse:
        program = self._program(request, object_id)
        keys = _included_keys(program)
        form = RunsForm(
            request.POST or None, initial={"seen": _digest(keys), "course_runs": "\n".join(keys)}
        )

        def change(by: Attribution) -> None:
            services.include_runs(
                program=program, course_run_ids=list(form.cleaned_data["course_runs"]), by=by
            )

        return self._change(
            request,
            program,
            Change(
                title=_("Include runs"),
                form=form,
                now=lambda: _included_keys(program),
                then=lambda: _keys(form.cleaned_data["course_runs"]),
                make=change,
            ),
        )

    def _program(self, request: HttpRequest, object_id: str) -> Program:
        program = self.get_object(request, object_id)
        if not isinstance(program, Program):
            raise Http404
        return program

    def _change(self, request: HttpRequest, program: Program, change: "Change") -> HttpResponse:
        """Ask; then show what would change and for how many learners; then, confirmed, make it."""
        context: dict[str, Any] = {}
        if request.method == "POST" and change.is_valid():
            by = by_staff(request, change.form.cleaned_data["reason"])
            try:
                if "confirm" in request.POST:
                    change.make_once(program, by)
                    self.message_user(request, _("Changed."), messages.SUCCESS)
                    page = reverse("admin:programs_program_change", args=[program.pk])
                    return HttpResponseRedirect(page)
                context = {
                    "difference": list(difflib.ndiff(change.now(), change.then())),
                    "preview": services.preview(lambda: change.make(by), program=program, at=by.at),
                }
            except DomainError as refusal:
                self.message_user(request, refusal.message, messages.ERROR)
        context |= {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": change.title,
            "subtitle": program.title,
            "program": program,
            "form": change.form,
            "formset": change.formset,
        }
        return TemplateResponse(request, "programs/admin/change.html", context)


@dataclass(frozen=True)
class Change:
    """A change of a program in the making: its forms, and in lines what is now and would be then."""

    title: Any
    form: ChangeForm
    now: Callable[[], list[str]]
    then: Callable[[], list[str]]
    make: Callable[[Attribution], None]
    formset: "forms.BaseFormSet[GroupForm] | None" = None

    def is_valid(self) -> bool:
        is_valid = self.form.is_valid()
        return (self.formset is None or self.formset.is_valid()) and is_valid

    @transaction.atomic
    def make_once(self, program: Program, by: Attribution) -> None:
        """Make the change, unless what the reader saw has changed; raises `ConflictError`."""
        Program.objects.select_for_update(no_key=True).get(pk=program.pk)
        if self.form.cleaned_data["seen"] != _digest(self.now()):
            raise ConflictError("It was changed meanwhile: look at it again.")
        self.make(by)


def _digest(lines: list[str]) -> str:
    return sha256("\n".join(lines).encode()).hexdigest()


def _groups_in_force(program: Program) -> list[RequiredGroup]:
    latest = program.requirements_versions.order_by("number").last()
    return services.requirements_of(latest) if latest else []


def _wanted(formset: "forms.BaseFormSet[GroupForm]") -> list[RequiredGroup]:
    return [form.group() for form in formset if form.cleaned_data.get("courses")]


def _initial(groups: list[RequiredGroup]) -> list[dict[str, Any]]:
    courses = _courses(groups)
    return [
        {
            "number": group.number,
            "title": group.title,
            "required_number": group.required_number,
            "courses": "\n".join(courses[pk].key for pk in group.course_ids),
        }
        for group in groups
    ]


def _lines(groups: list[RequiredGroup]) -> list[str]:
    """The requirements as people read them, a group or course in each line."""
    courses = _courses(groups)
    lines = []
    for group in groups:
        lines.append(f"{group.title or group.kind.label}: {group.needed}/{len(group.course_ids)}")
        members = [courses[pk] for pk in group.course_ids]
        lines += [f"    {course.key} {course.title}" for course in members]
    return lines


def _courses(groups: list[RequiredGroup]) -> dict[int, Course]:
    return Course.objects.in_bulk([pk for group in groups for pk in group.course_ids])


def _included_keys(program: Program) -> list[str]:
    return list(program.included_runs.values_list("course_run__key", flat=True))


def _keys(course_run_ids: tuple[int, ...]) -> list[str]:
    runs = CourseRun.objects.in_bulk(course_run_ids)
    return [runs[pk].key for pk in course_run_ids]
