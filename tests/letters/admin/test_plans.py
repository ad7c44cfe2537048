"""A plan at the desk: made, looked at, downloaded, applied, rolled back."""

import csv
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client

from credentials_portal.accounts.models import User
from credentials_portal.core.locks import SessionLock
from credentials_portal.core.models import OutboxMessage
from letters import services
from letters.admin import plans
from letters.enums import LetterState
from letters.models import LetterEvent, LetterValidationRun, ProgramLetter
from letters.selectors import PLAN_COLUMNS
from letters.services import PlanScope
from programs.models import CourseRun, Program
from tests.letters.admin.desk import post, signed_in, staff, text, url
from tests.letters.conftest import Statements
from tests.letters.factories import (
    DAY,
    applied,
    by_at,
    grade,
    graduates,
    imported,
    issue,
    one_course_program,
    planned,
    publish_text,
    require,
    rows,
    states,
)
from tests.programs.factories import AT, CourseRunFactory, LearnerFactory, program_requiring

pytestmark = pytest.mark.django_db

PERMISSION = "apply_letter_plan"
WRITTEN = (
    *("letters_programletter", "letters_letterevent", "core_outboxmessage"),
    *("letters_lettervalidationrun", "letters_lettervalidationresult"),
)


@pytest.fixture
def plan(false_letter: ProgramLetter, true_letter: ProgramLetter) -> LetterValidationRun:
    """Of one false letter and one true one."""
    return planned()


def page_of(plan: LetterValidationRun, page: str = "change") -> str:
    return url(f"lettervalidationrun_{page}", plan.pk)


def listed(response: Any) -> list[ProgramLetter]:
    return [result.letter for result, _reasons in response.context["results"]]


def drawn(response: Any) -> list[ProgramLetter]:
    return [result.letter for result, _reasons in response.context["sample"]]


def choices(response: Any) -> dict[str, dict[str, int]]:
    """What the page offers to filter by, with its counts."""
    return {
        str(name): {choice.words: choice.count for choice in (*first, *others)}
        for name, first, others in response.context["review"].choices
    }


def plan_in_parts(monkeypatch: pytest.MonkeyPatch, *, per_request: int) -> None:
    """A request that does less, so that a plan of three letters takes two."""
    monkeypatch.setattr(plans, "CHANGED_AT_ONCE", 1)
    monkeypatch.setattr(plans, "CHANGED_PER_REQUEST", per_request)


# --- Make --------------------------------------------------------------------------------------


def test_makes_a_plan_and_ends_on_it(
    false_letter: ProgramLetter, true_letter: ProgramLetter
) -> None:
    before = rows("letters_programletter", "letters_letterevent")
    client = staff(PERMISSION)

    response = client.post(
        url("lettervalidationrun_make"),
        {"states": ["pending", "active", "suspended"], "against": "issue"},
    )

    run = LetterValidationRun.objects.get(kind="plan")
    assert response.headers["Location"] == page_of(run)
    assert (run.status, run.counters["total"], run.counters["invalid"]) == ("done", 2, 1)
    assert run.requested_by == User.objects.get(pk=client.session["_auth_user_id"])
    assert rows(*before) == before


def test_a_plan_covers_what_is_asked_for(
    program: Program, run: CourseRun, true_letter: ProgramLetter
) -> None:
    imported(one_course_program()[0], LearnerFactory.create())
    revoked = imported(program, LearnerFactory.create())[0]
    services.revoke_letter(letter_uuid=revoked.uuid, by=by_at(AT, reason="False."))
    require(program, run, CourseRunFactory.create(), at=AT)

    page = post(
        staff(PERMISSION),
        url("lettervalidationrun_make"),
        program=program.pk,
        states=["active", "revoked"],
        against="current",
    )

    plan = LetterValidationRun.objects.get(kind="plan")
    assert {result.letter for result in plan.results.all()} == {true_letter, revoked}
    assert plan.counters["invalid"] == 2
    assert (
        "Planned: letters of “Data Science”; in the states active, revoked;"
        " judged by the requirements: those in force now"
    ) in page


def test_pages_of_a_plan_hold_each_letter_once(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(program, *LearnerFactory.create_batch(5))
    monkeypatch.setattr(plans, "JUDGED_AT_ONCE", 2)

    post(staff(PERMISSION), url("lettervalidationrun_make"), states=["active"], against="issue")

    assert LetterValidationRun.objects.get(kind="plan").counters["total"] == 5


@pytest.mark.parametrize(
    "given",
    [
        {"against": "issue"},
        {"against": "issue", "states": ["nonsense"]},
        {"against": "yesterday", "states": ["active"]},
        {"against": "issue", "states": ["active"], "program": "999999"},
    ],
)
def test_a_malformed_form_makes_no_plan(given: dict[str, Any], true_letter: ProgramLetter) -> None:
    page = post(staff(PERMISSION), url("lettervalidationrun_make"), **given)

    assert "errors" in page
    assert not LetterValidationRun.objects.filter(kind="plan").exists()


def test_a_plan_over_no_letters_says_so(program: Program) -> None:
    page = post(
        staff(PERMISSION), url("lettervalidationrun_make"), states=["active"], against="issue"
    )

    assert "What it says of 0 letters" in page
    assert "No letter of this plan is here." in page
    assert "Apply…" not in page


def test_of_two_who_plan_at_once_one_is_told(true_letter: ProgramLetter) -> None:
    with SessionLock("validate_letters"):
        page = post(
            staff(PERMISSION), url("lettervalidationrun_make"), states=["active"], against="issue"
        )

    assert "Somebody else does this at the moment." in page
    assert not LetterValidationRun.objects.filter(kind="plan").exists()


def test_the_list_of_runs_offers_a_plan_to_who_may() -> None:
    offered = [
        "Make a validation plan…" in text(who.get(url("lettervalidationrun_changelist")))
        for who in (staff(), staff(PERMISSION))
    ]

    assert offered == [False, True]


# --- Look --------------------------------------------------------------------------------------


def test_a_plan_says_what_it_found(
    plan: LetterValidationRun, run: CourseRun, false_letter: ProgramLetter, true_letter: Any
) -> None:
    response = staff().get(page_of(plan))

    why = f"the core course {run.course.key} is not passed"
    assert choices(response) == {
        "Verdict": {"valid": 1, "invalid": 1},
        "Planned": {"nothing": 1, "suspend": 1},
        "Reason": {why: 1},
        "Program": {"Data Science": 2},
        "Outcome": {"not applied": 1},
    }
    assert [(result.letter, words) for result, words in response.context["results"]] == [
        (false_letter, [why]),
        (true_letter, []),
    ]
    assert set(drawn(response)) == {false_letter, true_letter}
    assert "It says what should become of its letters. No letter has changed." in text(response)
    assert "Left to apply: 1 letter." in text(response)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"verdict": "invalid"}, ["false"]),
        ({"verdict": "valid"}, ["true"]),
        ({"action": "suspend"}, ["false"]),
        ({"check": "core"}, ["false"]),
        ({"check": "core", "verdict": "valid"}, []),
        ({"check": "nothing-like-it"}, []),
        ({"program": "here"}, ["false", "true"]),
        ({"program": "999999"}, []),
        ({"outcome": "open"}, ["false", "true"]),
        ({"outcome": "changed"}, []),
        ({"verdict": "perhaps", "program": "x", "check": "\0", "seed": "-1"}, ["false", "true"]),
        ({"page": "x"}, ["false", "true"]),
        ({"page": "999"}, ["false", "true"]),
        ({"program": "9" * 30, "check": "x" * 301}, ["false", "true"]),
    ],
)
def test_filters_the_letters_of_a_plan(
    plan: LetterValidationRun,
    run: CourseRun,
    false_letter: ProgramLetter,
    true_letter: ProgramLetter,
    query: dict[str, str],
    found: list[str],
) -> None:
    meant = {"core": f"core_course:{run.course.key}", "here": str(false_letter.program_id)}
    names = {false_letter: "false", true_letter: "true"}

    response = staff().get(page_of(plan), {k: meant.get(v, v) for k, v in query.items()})

    assert [names[letter] for letter in listed(response)] == found
    assert sorted(names[letter] for letter in drawn(response)) == found


def test_a_filter_is_chosen_and_let_go_of(plan: LetterValidationRun) -> None:
    response = staff().get(page_of(plan), {"verdict": "invalid", "action": "suspend"})

    _name, verdicts, _others = response.context["review"].choices[0]
    assert {choice.words: (choice.address, choice.is_chosen) for choice in verdicts} == {
        "invalid": ("?action=suspend", True),
        "valid": ("?verdict=valid&action=suspend", False),
    }
    assert "Show all letters again" in text(response)


def test_a_sample_is_drawn_again_by_its_number(program: Program) -> None:
    imported(program, *LearnerFactory.create_batch(30))
    plan, looking = planned(), staff()

    def sample(**query: int) -> list[ProgramLetter]:
        return drawn(looking.get(page_of(plan), query))

    assert sample(seed=1) == sample(seed=1, page=2) != sample(seed=2)
    assert len(set(sample(seed=1))) == 10
    chosen = looking.get(page_of(plan)).context["review"]
    assert drawn(looking.get(page_of(plan) + chosen.address_of_sample)) == chosen_letters(chosen)


def chosen_letters(review: Any) -> list[ProgramLetter]:
    return [result.letter for result in review.sample]


def test_the_letters_of_a_plan_are_paged(program: Program) -> None:
    imported(program, *LearnerFactory.create_batch(26))
    plan, looking = planned(), staff()

    first = looking.get(page_of(plan), {"seed": 7})
    second = looking.get(page_of(plan) + first.context["next"])

    assert (len(listed(first)), len(listed(second))) == (25, 1)
    assert drawn(second) == drawn(first)
    assert second.context["previous"] == "?seed=7&page=1"


def test_many_reasons_are_folded(db: None) -> None:
    runs = CourseRunFactory.create_batch(14)
    imported(program_requiring(core=[run.course for run in runs]), LearnerFactory.create())

    response = staff().get(page_of(planned()))

    folded = {
        str(name): (len(first), len(others))
        for name, first, others in response.context["review"].choices
    }
    assert folded["Reason"] == (12, 2)
    assert "and 2 more" in text(response)


def test_what_changed_since_the_plan_is_told(
    program: Program, false_letter: ProgramLetter, true_letter: ProgramLetter
) -> None:
    plan = planned()
    services.revoke_letter(letter_uuid=false_letter.uuid, by=by_at(AT + DAY, reason="False."))

    response = staff().get(page_of(plan))

    assert "1 letter changed since the plan was made." in text(response)
    assert [
        (result.letter, result.is_decided) for result, _words in response.context["results"]
    ] == [(false_letter, True), (true_letter, False)]


def test_what_a_plan_changed_itself_did_not_change_since(plan: LetterValidationRun) -> None:
    applied(plan, at=AT + DAY)

    response = staff().get(page_of(plan))

    assert response.context["review"].decided_since == 0


def test_a_plans_page_asks_the_same_for_any_number_of_letters(
    program: Program, statements: Statements
) -> None:
    looking, counts = staff(PERMISSION), []
    for size in (1, 60):
        imported(program, *LearnerFactory.create_batch(size))
        address = page_of(planned())
        looking.get(address)
        with statements.counted() as asked:
            looking.get(address)
        counts.append(len(asked))

    assert counts[0] == counts[1]


# --- Download ----------------------------------------------------------------------------------


def read(response: Any) -> list[dict[str, str]]:
    content = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(StringIO(content)))


def test_downloads_a_plan(
    plan: LetterValidationRun, false_letter: ProgramLetter, run: CourseRun
) -> None:
    response = staff().get(page_of(plan, "download"))

    found = read(response)
    assert tuple(found[0]) == PLAN_COLUMNS
    assert [row["verdict"] for row in found] == ["invalid", "valid"]
    assert found[0]["letter_uuid"] == str(false_letter.uuid)
    assert found[0]["reasons"] == f"the core course {run.course.key} is not passed"
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert (
        response.headers["Content-Disposition"] == f'attachment; filename="letters-{plan.uuid}.csv"'
    )
    assert "no-store" in response.headers["Cache-Control"]


def test_downloads_what_is_selected(plan: LetterValidationRun) -> None:
    response = staff().get(page_of(plan, "download"), {"verdict": "valid"})

    assert [row["verdict"] for row in read(response)] == ["valid"]


def test_no_cell_of_a_download_is_a_formula(program: Program) -> None:
    Program.objects.filter(pk=program.pk).update(title="=cmd|' /C calc'!A0")
    imported(program, LearnerFactory.create(username="@SUM(A1)"))

    (row,) = read(staff().get(page_of(planned(), "download")))
    (letter,) = read(staff().get(url("programletter_download")))

    assert (row["program"], row["username"]) == ("'=cmd|' /C calc'!A0", "'@SUM(A1)")
    assert (letter["program"], letter["username"]) == ("'=cmd|' /C calc'!A0", "'@SUM(A1)")


def test_downloads_the_list_of_letters_as_filtered(
    false_letter: ProgramLetter, true_letter: ProgramLetter, run: CourseRun
) -> None:
    applied(planned())
    looking = staff()
    address = url("programletter_download")

    response = looking.get(address, {"state__exact": "suspended"})
    searched = looking.get(address, {"q": true_letter.user.username})

    (row,) = read(response)
    assert (row["letter_uuid"], row["state"]) == (str(false_letter.uuid), "suspended")
    assert row["reason"] == f"the core course {run.course.key} is not passed"
    assert [row["letter_uuid"] for row in read(searched)] == [str(true_letter.uuid)]
    assert response.headers["Content-Disposition"] == 'attachment; filename="letters.csv"'
    assert "no-store" in response.headers["Cache-Control"]
    page = text(looking.get(url("programletter_changelist"), {"state__exact": "suspended"}))
    assert f'{address}?state__exact=suspended"' in page


def test_a_list_that_does_not_exist_is_not_downloaded(true_letter: ProgramLetter) -> None:
    response = staff().get(url("programletter_download"), {"nonsense": "1"})

    assert response.status_code == 302


# --- Apply -------------------------------------------------------------------------------------


def test_says_what_would_happen_to_how_many(
    plan: LetterValidationRun, false_letter: ProgramLetter, run: CourseRun
) -> None:
    publish_text(false_letter.program)

    response = staff(PERMISSION).get(page_of(plan, "apply"))

    prospects = response.context["prospects"]
    assert prospects.actions == ["Suspended: 1. Whoever opens or verifies one is told so."]
    assert [(code, n) for code, _words, n in prospects.reasons] == [
        (f"core_course:{run.course.key}", 1)
    ]
    assert (prospects.left, prospects.seen, response.context["skipped"]) == (1, 1, 0)
    assert "I have read the report: apply 1 of 2 (50.0 %) nevertheless" in text(response)
    assert "1 holder could have seen the letter" in text(response)


def test_says_how_many_would_be_left_alone(
    plan: LetterValidationRun, false_letter: ProgramLetter, run: CourseRun
) -> None:
    grade(run, false_letter.user)

    response = staff(PERMISSION).get(page_of(plan, "apply"))

    assert response.context["skipped"] == 1


def test_applies_with_a_reason(
    plan: LetterValidationRun, false_letter: ProgramLetter, true_letter: ProgramLetter
) -> None:
    client = staff(PERMISSION)

    page = post(client, page_of(plan, "apply"), reason="No courses then.", nevertheless="on")

    assert "Changed: 1." in page
    assert states(false_letter, true_letter) == ["suspended", "active"]
    event = false_letter.events.latest("letter_version")
    me = User.objects.get(pk=client.session["_auth_user_id"])
    assert (event.actor, event.note, event.cause) == (me, "No courses then.", "admin")
    plan.refresh_from_db()
    assert (plan.status, plan.approved_by, plan.approval_reason) == (
        "applied",
        me,
        "No courses then.",
    )
    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize(
    "given",
    [
        {"reason": "No courses then."},
        {"reason": "", "nevertheless": "on"},
        {"reason": " \n", "nevertheless": "on"},
        {"reason": "x" * 501, "nevertheless": "on"},
        {},
    ],
)
def test_beyond_the_cap_it_takes_a_word_and_a_reason(
    plan: LetterValidationRun, given: dict[str, str]
) -> None:
    before = rows(*WRITTEN)

    page = post(staff(PERMISSION), page_of(plan, "apply"), **given)

    assert "errors" in page
    assert rows(*WRITTEN) == before


def test_within_the_cap_it_takes_a_reason_only(
    program: Program, run: CourseRun, false_letter: ProgramLetter
) -> None:
    issue(program, *graduates(run, 19))
    plan, client = planned(), staff(PERMISSION)

    shown = text(client.get(page_of(plan, "apply")))
    page = post(client, page_of(plan, "apply"), reason="No courses then.")

    assert "nevertheless" not in shown
    assert "Changed: 1." in page
    assert states(false_letter) == ["suspended"]


def test_applies_only_letters_that_fail_one_check(
    program: Program, run: CourseRun, false_letter: ProgramLetter
) -> None:
    nameless = imported(program, LearnerFactory.create())[0]
    User.objects.filter(pk=nameless.user_id).update(full_name="")
    plan, client = planned(), staff(PERMISSION)
    given = {"check": "learner_identity", "reason": "Nobody.", "nevertheless": "on"}

    shown = client.get(page_of(plan, "apply"), {"check": "learner_identity"})
    page = post(client, page_of(plan, "apply"), **given)

    assert shown.context["prospects"].left == 1
    assert states(nameless, false_letter) == ["suspended", "active"]
    plan.refresh_from_db()
    assert plan.status == "applying"
    assert "It was applied in part. Go on, or roll it back." in page
    rest = client.get(page_of(plan, "apply"))
    assert rest.context["form"].initial == {}


@pytest.mark.parametrize("check", ["core_course:Typo", "x" * 301, "\0", " "])
def test_no_malformed_check_becomes_all_of_them(plan: LetterValidationRun, check: str) -> None:
    page = post(
        staff(PERMISSION), page_of(plan, "apply"), check=check, reason="x", nevertheless="on"
    )

    assert "No letter of" in page
    assert not LetterEvent.objects.filter(run=plan).exists()


def test_goes_on_where_a_request_stopped(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = imported(program, *LearnerFactory.create_batch(3))
    plan, client = planned(), staff(PERMISSION)
    plan_in_parts(monkeypatch, per_request=2)
    given = {"reason": "No courses then.", "nevertheless": "on"}

    halfway = client.post(page_of(plan, "apply"), given, follow=True)
    between = states(*letters)
    end = post(client, page_of(plan, "apply"), **given)

    assert halfway.redirect_chain[-1][0] == page_of(plan, "apply")
    assert "2 done, 1 left. What is done stays done if you stop here." in text(halfway)
    assert "Go on" in text(halfway)
    assert halfway.context["form"].initial == {
        "reason": "No courses then.",
        "nevertheless": True,
        "notify": False,
    }
    assert between == ["suspended", "suspended", "active"]
    assert "Changed: 1." in end
    assert states(*letters) == ["suspended"] * 3
    assert LetterEvent.objects.filter(run=plan).count() == 3
    plan.refresh_from_db()
    assert plan.status == "applied"


def test_who_did_not_begin_says_all_of_it_anew(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(program, *LearnerFactory.create_batch(3))
    plan = planned()
    plan_in_parts(monkeypatch, per_request=2)
    post(staff(PERMISSION), page_of(plan, "apply"), reason="x", nevertheless="on")

    other = staff(PERMISSION).get(page_of(plan, "apply"))

    assert other.context["form"].initial == {}


def test_what_was_skipped_and_what_failed_is_told(
    program: Program, run: CourseRun, refuse_letters_of: Callable[..., None]
) -> None:
    changed, skipped, failed = imported(program, *LearnerFactory.create_batch(3))
    plan, client = planned(), staff(PERMISSION)
    grade(run, skipped.user)
    refuse_letters_of(failed.user_id)

    page = post(client, page_of(plan, "apply"), reason="No courses then.", nevertheless="on")

    assert "Changed: 1." in page
    assert "Left alone, because something changed since the plan: 1." in page
    assert "Failed, and logged for an operator: 1." in page
    assert states(changed, skipped, failed) == ["suspended", "active", "active"]
    assert "Left to apply: 1 letter." in page
    refuse_letters_of()
    post(client, page_of(plan, "apply"), reason="Once more.", nevertheless="on")
    assert states(failed) == ["suspended"]


def test_of_two_who_apply_at_once_one_is_told(
    plan: LetterValidationRun, false_letter: ProgramLetter
) -> None:
    with SessionLock("apply_letter_plan"):
        page = post(staff(PERMISSION), page_of(plan, "apply"), reason="x", nevertheless="on")

    assert "Somebody else does this at the moment." in page
    assert states(false_letter) == ["active"]


def test_a_plan_that_was_applied_has_nothing_left(plan: LetterValidationRun) -> None:
    applied(plan)
    client = staff(PERMISSION)
    before = rows(*WRITTEN)

    page = post(client, page_of(plan, "apply"), reason="x", nevertheless="on")

    assert "Nothing is left to apply." in page
    assert "Apply…" not in page
    assert rows(*WRITTEN) == before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": "aborted"}, "It was left unfinished, and cannot be applied."),
        ({"status": "rolled_back"}, "It was rolled back, and is not applied again."),
        ({"status": "running"}, "Its letters are being judged."),
        ({"ruleset_version": 0}, "It was planned by older rules, and cannot be applied."),
    ],
)
def test_says_why_a_plan_is_not_applied(
    plan: LetterValidationRun, false_letter: ProgramLetter, changes: dict[str, Any], told: str
) -> None:
    LetterValidationRun.objects.filter(pk=plan.pk).update(**changes)
    client = staff(PERMISSION)

    page = text(client.get(page_of(plan)))
    refused = post(client, page_of(plan, "apply"), reason="x", nevertheless="on")

    assert told in page
    assert "Apply…" not in page
    assert f"Run {plan.uuid}" in refused
    assert states(false_letter) == ["active"]


def test_mails_holders_only_when_asked(
    plan: LetterValidationRun, false_letter: ProgramLetter
) -> None:
    publish_text(false_letter.program)

    post(
        staff(PERMISSION),
        page_of(plan, "apply"),
        reason="No courses then.",
        nevertheless="on",
        notify="on",
    )

    assert OutboxMessage.objects.count() == 1


# --- Roll back ---------------------------------------------------------------------------------


def test_rolls_back_with_a_reason(
    plan: LetterValidationRun, false_letter: ProgramLetter, true_letter: ProgramLetter
) -> None:
    applied(plan)
    client = staff(PERMISSION)
    shown = client.get(page_of(plan, "roll_back"))

    page = post(client, page_of(plan, "roll_back"), reason="The board writes first.")

    assert (shown.context["restored"], shown.context["kept"]) == (1, 0)
    assert "Put back: 1." in page
    assert "It was rolled back, and is not applied again." in page
    assert states(false_letter, true_letter) == ["active", "active"]
    event = false_letter.events.latest("letter_version")
    assert (event.action, event.note, event.cause) == (
        "rolled_back",
        "The board writes first.",
        "admin",
    )


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_rollback_needs_a_reason(plan: LetterValidationRun, reason: str) -> None:
    applied(plan)
    before = rows(*WRITTEN)

    page = post(staff(PERMISSION), page_of(plan, "roll_back"), reason=reason)

    assert "errors" in page
    assert rows(*WRITTEN) == before


def test_what_somebody_touched_since_is_not_put_back(program: Program) -> None:
    touched, untouched = imported(program, *LearnerFactory.create_batch(2))
    plan = planned()
    applied(plan)
    services.revoke_letter(letter_uuid=touched.uuid, by=by_at(AT + DAY, reason="False."))
    client = staff(PERMISSION)

    shown = client.get(page_of(plan, "roll_back"))
    page = post(client, page_of(plan, "roll_back"), reason="A mistake.")

    assert (shown.context["restored"], shown.context["kept"]) == (1, 1)
    assert "Left alone, because somebody touched them since: 1." in page
    assert states(touched, untouched) == ["revoked", "active"]


def test_a_rollback_goes_on_where_a_request_stopped(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = imported(program, *LearnerFactory.create_batch(3))
    plan, client = planned(), staff(PERMISSION)
    applied(plan)
    plan_in_parts(monkeypatch, per_request=2)

    halfway = client.post(page_of(plan, "roll_back"), {"reason": "A mistake."}, follow=True)
    between = states(*letters)
    post(client, page_of(plan, "roll_back"), reason="A mistake.")

    assert "2 done, 1 left." in text(halfway)
    assert halfway.context["form"].initial == {"reason": "A mistake."}
    assert between == ["active", "active", "suspended"]
    assert states(*letters) == ["active"] * 3


def test_nothing_is_rolled_back_twice(plan: LetterValidationRun) -> None:
    applied(plan)
    client = staff(PERMISSION)
    post(client, page_of(plan, "roll_back"), reason="A mistake.")
    before = rows(*WRITTEN)

    page = post(client, page_of(plan, "roll_back"), reason="Again.")

    assert "Nothing is left to put back." in page
    assert "Roll back…" not in page
    assert rows(*WRITTEN) == before


def test_a_plan_that_was_not_applied_is_not_rolled_back(plan: LetterValidationRun) -> None:
    client = staff(PERMISSION)

    page = post(client, page_of(plan, "roll_back"), reason="A mistake.")

    assert f"Run {plan.uuid} (plan, done) was not applied." in page
    assert "Roll back…" not in page


def test_of_two_who_roll_back_at_once_one_is_told(
    plan: LetterValidationRun, false_letter: ProgramLetter
) -> None:
    applied(plan)

    with SessionLock("rollback_letter_run"):
        page = post(staff(PERMISSION), page_of(plan, "roll_back"), reason="x")

    assert "Somebody else does this at the moment." in page
    assert states(false_letter) == ["suspended"]


# --- Its story ---------------------------------------------------------------------------------


def test_a_plan_tells_its_whole_story(plan: LetterValidationRun) -> None:
    first, second = staff(PERMISSION), staff(PERMISSION)
    names = [
        User.objects.get(pk=client.session["_auth_user_id"]).username for client in (first, second)
    ]
    post(first, page_of(plan, "apply"), reason="No courses then.", nevertheless="on")
    post(second, page_of(plan, "roll_back"), reason="A mistake.")

    page = staff().get(page_of(plan))

    planned_words = (
        "Planned: letters of all programs; in the states pending, active, suspended; judged by the"
        " requirements: those in force when it was issued"
    )
    assert [(c.words, str(c.who or ""), c.reason) for c in page.context["story"]] == [
        (planned_words, "", ""),
        ("Approved", names[0], "No courses then."),
        ("suspended: 1 letter", names[0], "No courses then."),
        ("put back as it was before a run: 1 letter", names[1], "A mistake."),
    ]


def test_a_plan_tells_its_scope(
    program: Program, true_letter: ProgramLetter, false_letter: ProgramLetter
) -> None:
    scope = PlanScope(
        program_id=program.pk,
        states=(LetterState.ACTIVE,),
        issued_from=AT,
        issued_to=AT + DAY,
        letter_uuids=(true_letter.uuid, false_letter.uuid),
    )

    page = staff().get(page_of(planned(scope)))

    assert page.context["story"][0].words == (
        "Planned: letters of “Data Science”; in the states active; issued on 1 June 2025, 12:00 or"
        " later; issued before 2 June 2025, 12:00; 2 letters that were named; judged by the"
        " requirements: those in force when it was issued"
    )


# --- Who may -----------------------------------------------------------------------------------


@pytest.fixture
def roles(db: None) -> dict[str, Client]:
    call_command("migrate", verbosity=0)
    clients = {"anonymous": Client(headers={"host": "localhost"})}
    clients["learner"] = signed_in(LearnerFactory.create())
    for role in ("Support", "Auditors", "Registrars", "Operators"):
        person = User.objects.create(username=role.lower(), is_staff=True)
        person.groups.add(Group.objects.get(name=role))
        clients[role] = signed_in(person)
    return clients


@pytest.mark.parametrize("act", ["get", "post"])
@pytest.mark.parametrize("name", ["make", "apply", "roll_back", "download"])
def test_who_may_plan_apply_and_roll_back(
    plan: LetterValidationRun, roles: dict[str, Client], name: str, act: str
) -> None:
    address = url("lettervalidationrun_make") if name == "make" else page_of(plan, name)
    if name == "roll_back":
        applied(plan)
    before = rows(*WRITTEN)

    found = {role: getattr(who, act)(address).status_code for role, who in roles.items()}

    looking = 200 if name == "download" else 403
    assert found == {
        "anonymous": 302,
        "learner": 302,
        "Support": looking,
        "Auditors": looking,
        "Registrars": 200,
        "Operators": 200,
    }
    assert rows(*WRITTEN) == before


def test_offers_only_what_one_may(plan: LetterValidationRun) -> None:
    applied(plan)
    imported(plan.results.all()[0].letter.program, LearnerFactory.create())
    fresh = planned()

    offered = {
        permission: [
            words
            for words in ("Apply…", "Roll back…", "Make a new plan…", "Download the plan")
            if any(words in text(staff(*permission).get(page_of(run))) for run in (plan, fresh))
        ]
        for permission in ((), (PERMISSION,))
    }

    assert offered[()] == ["Download the plan"]
    assert offered[PERMISSION,] == [
        "Apply…",
        "Roll back…",
        "Make a new plan…",
        "Download the plan",
    ]


@pytest.mark.parametrize("name", ["make", "apply", "roll_back"])
def test_a_form_from_elsewhere_is_refused(
    admin_user: User, plan: LetterValidationRun, name: str
) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    client.force_login(admin_user)
    address = url("lettervalidationrun_make") if name == "make" else page_of(plan, name)
    before = rows(*WRITTEN)

    response = client.post(address, {"reason": "x", "nevertheless": "on"})

    assert response.status_code == 403
    assert rows(*WRITTEN) == before


@pytest.mark.parametrize("name", ["apply", "roll_back", "download"])
def test_a_held_run_is_no_plan(program: Program, name: str) -> None:
    held = LetterValidationRun.objects.create(
        kind="issue", status="holding", as_of=AT, started_at=AT
    )
    client = staff(PERMISSION)

    assert client.get(page_of(held, name)).status_code == 404
    assert client.get(url(f"lettervalidationrun_{name}", 2**62)).status_code == 404


def test_looking_changes_nothing(admin_client: Client, plan: LetterValidationRun) -> None:
    applied(plan)
    before = rows(*WRITTEN)

    for page in ("change", "download", "apply", "roll_back"):
        response = admin_client.get(page_of(plan, page), follow=True)
        assert response.status_code == 200
        assert not response.streaming or b"".join(response.streaming_content)  # type: ignore[attr-defined]  # a stream

    assert rows(*WRITTEN) == before
