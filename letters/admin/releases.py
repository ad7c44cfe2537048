"""The release of what a breaker held: what becomes of it, and what stays where it is, and why."""

from collections import Counter
from random import Random
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from credentials_portal.accounts.models import User
from credentials_portal.core.admin import ReasonForm
from credentials_portal.core.admin_pages import decided_by, person
from credentials_portal.core.errors import DomainError
from letters import services
from letters.admin.plans import address_of
from letters.admin.review import parse_query
from letters.admin.viewing import ExactSearch
from letters.enums import LetterAction, LetterState, describe_check
from letters.models import LetterValidationRun
from letters.services import PROGRAM_NOT_ACTIVE, Held
from programs.selectors import programs_by_title

WORDS_OF_OUTCOMES = {
    **{action.value: action.label for action in LetterAction},
    "pending": _("created pending"),
    "unchanged": _("left as they are: their checks say so"),
    "failed": _("failed, and logged for an operator"),
}
SHOWN_OF_HELD = 10


class ReleasePages(ExactSearch):
    """What a run holds, and its release; the admin of runs has them."""

    def get_urls(self) -> list[URLPattern]:
        release = path(
            "<int:pk>/release/",
            self.admin_site.admin_view(self.release_view),
            name="letters_lettervalidationrun_release",
        )
        return [release, *super().get_urls()]

    def what_waits(self, request: HttpRequest, run: LetterValidationRun) -> dict[str, Any]:
        pending = run.issued_letters.filter(state=LetterState.PENDING).count()
        held = run.held_revalidations.count()
        may = person(request).has_perm("letters.release_letters")
        return {
            "pending": pending,
            "held": held,
            "may_release": bool(pending or held) and may,
        }

    def release_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what releasing a run does to how many letters; with a reason, do it."""
        self.require(request, "letters.release_letters")
        run = get_object_or_404(LetterValidationRun, pk=pk)
        back = redirect(address_of(pk))
        asked = request.method == "POST"
        form = ReasonForm(request.POST if asked else None)
        at = timezone.now()
        try:
            if asked and form.is_valid():
                by = decided_by(request, at=at, reason=form.cleaned_data["reason"])
                self._tell_released(request, services.release_run(run=run, by=by))
                return back
            held = services.what_is_held(run, by=decided_by(request, at=at))
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return back
        if not held:
            self.message_user(request, _("This run holds nothing."), messages.WARNING)
            return back
        _selection, seed = parse_query(request.GET)
        return self.page(
            request,
            "admin/letters/release.html",
            title=_("Release what this run holds"),
            button=_("Release"),
            is_possible=not all(each.stays for each in held),
            back=address_of(pk),
            run=run,
            form=form,
            seed=seed,
            **_release_in_words(held, seed),
        )

    def _tell_released(self, request: HttpRequest, outcomes: Counter[str]) -> None:
        if not outcomes:
            told = _("This run held nothing any more.")
            self.message_user(request, told, messages.WARNING)
        for outcome, count in outcomes.most_common():
            level = LEVELS_OF_RELEASE.get(outcome, messages.SUCCESS)
            self.message_user(request, f"{WORDS_OF_OUTCOMES[outcome]}: {count}", level)


LEVELS_OF_RELEASE = {"unchanged": messages.WARNING, "failed": messages.ERROR}


def _release_in_words(held: list[Held], seed: int) -> dict[str, Any]:
    """What a release would do: counts by what becomes of it and why, and some of each at random."""
    stay = [each for each in held if each.stays]
    go = [each for each in held if not each.stays]
    shown = [_drawn(each, seed) for each in (go, stay)]
    users = User.objects.in_bulk([each.user_id for part in shown for each in part])
    programs = programs_by_title().in_bulk({each.program_id for part in shown for each in part})
    outcomes = Counter(each.outcome for each in go)
    reasons = Counter(code for each in held for code in each.reasons)
    return {
        "outcomes": [(WORDS_OF_OUTCOMES[outcome], n) for outcome, n in outcomes.most_common()],
        "reasons": [(code, _why(code), n) for code, n in reasons.most_common()],
        "stay": len(stay),
        "drawn": [
            (
                caption,
                [
                    (each, users[each.user_id], programs[each.program_id], *_words_of(each))
                    for each in part
                ],
            )
            for caption, part in zip((_("Some that go"), _("Some that stay")), shown, strict=True)
            if part
        ],
    }


def _drawn(held: list[Held], seed: int) -> list[Held]:
    draw = Random(seed)  # noqa: S311 - a sample, no secret
    return draw.sample(held, min(len(held), SHOWN_OF_HELD))


def _words_of(held: Held) -> tuple[Any, list[str]]:
    outcome = _("stays pending") if held.stays else WORDS_OF_OUTCOMES[held.outcome]
    return outcome, [_why(code) for code in held.reasons]


def _why(code: str) -> str:
    if code == PROGRAM_NOT_ACTIVE:
        return str(_("its program is not active"))
    return describe_check(code)
