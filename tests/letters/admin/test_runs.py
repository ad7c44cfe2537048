"""Held runs, their release, and the queue."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from credentials_portal.accounts.models import User
from letters import services
from letters.enums import RunKind
from letters.models import LetterRevalidation, ProgramLetter
from programs.models import CourseRun, Program
from tests.letters.admin.desk import held_run, post, staff, text, url
from tests.letters.factories import (
    DAY,
    by_at,
    grade,
    graduates,
    one_course_program,
    planned,
    states,
)
from tests.programs.factories import AT

pytestmark = pytest.mark.django_db


def test_releases_what_a_run_holds() -> None:
    run = held_run()
    client = staff("release_letters")
    page = text(client.get(url("lettervalidationrun_change", run.pk)))
    shown = client.get(url("lettervalidationrun_release", run.pk))

    told = post(client, url("lettervalidationrun_release", run.pk), reason="Looked at.")

    assert "2 pending letters" in page
    assert shown.context["outcomes"] == [("released by staff", 2)]
    assert shown.context["stay"] == 0
    assert "released by staff: 2" in told
    assert states(*run.issued_letters.all()) == ["active", "active"]
    run.refresh_from_db()
    assert (run.status, run.approval_reason) == ("released", "Looked at.")


def test_release_needs_a_reason() -> None:
    run = held_run()

    page = post(staff("release_letters"), url("lettervalidationrun_release", run.pk), reason=" ")

    assert "This field is required." in page
    assert states(*run.issued_letters.all()) == ["pending", "pending"]


def test_a_release_tells_which_letters_stay_pending_and_why(program: Program) -> None:
    run = held_run()
    goes, stays = run.issued_letters.order_by("pk")
    course_run = CourseRun.objects.get(programs=goes.program_id)
    grade(course_run, stays.user, percent="0.1", at=AT + DAY)
    client = staff("release_letters")
    address = url("lettervalidationrun_release", run.pk)
    why = f"the core course {course_run.course.key} is not passed"

    shown = client.get(address)
    told = post(client, address, reason="Looked at.")
    again = client.get(address)

    assert shown.context["outcomes"] == [("released by staff", 1)]
    assert (shown.context["stay"], shown.context["is_possible"]) == (1, True)
    assert shown.context["reasons"] == [(f"core_course:{course_run.course.key}", why, 1)]
    assert [
        (str(caption), [(row.letter_id, words) for row, *_rest, words in rows_])
        for caption, rows_ in shown.context["drawn"]
    ] == [("Some that go", [(goes.pk, [])]), ("Some that stay", [(stays.pk, [why])])]
    assert "left as they are: their checks say so: 1" in told
    assert "The release page tells why" in told
    assert states(goes, stays) == ["active", "pending"]
    assert (again.context["stay"], again.context["is_possible"]) == (1, False)


def test_letters_of_a_program_that_is_not_active_stay_pending() -> None:
    run = held_run()
    Program.objects.update(status="retired")

    shown = staff("release_letters").get(url("lettervalidationrun_release", run.pk))

    assert shown.context["reasons"] == [("program_not_active", "its program is not active", 2)]
    assert shown.context["is_possible"] is False


def test_a_bad_row_stops_nobody_else_at_a_release(
    refuse_letters_of: Callable[..., None],
) -> None:
    run = held_run()
    bad, good = run.issued_letters.order_by("pk")
    refuse_letters_of(bad.user_id)
    client = staff("release_letters")

    told = post(client, url("lettervalidationrun_release", run.pk), reason="Looked at.")

    assert "failed, and logged for an operator: 1" in told
    assert "1 pending letter" in told
    assert states(bad, good) == ["pending", "active"]
    refuse_letters_of()
    post(client, url("lettervalidationrun_release", run.pk), reason="Once more.")
    assert states(bad, good) == ["active", "active"]


def test_a_release_shows_some_letters_at_random() -> None:
    program, course_run = one_course_program()
    run = services.new_run(RunKind.ISSUE, by=by_at(AT))
    users = [user.pk for user in graduates(course_run, 12)]
    services.issue_letters(program_id=program.pk, user_ids=users, run=run, by=by_at(AT))
    client = staff("release_letters")
    address = url("lettervalidationrun_release", run.pk)

    def drawn(seed: int) -> list[int]:
        (_caption, rows_) = client.get(address, {"seed": seed}).context["drawn"][0]
        return [held.user_id for held, *_rest in rows_]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len(set(drawn(1))) == 10


def test_a_held_runs_page_tells_its_story() -> None:
    run = held_run()
    client = staff("release_letters", first_name="Rita")

    post(client, url("lettervalidationrun_release", run.pk), reason="Looked at.")
    page = client.get(url("lettervalidationrun_change", run.pk))

    me = User.objects.get(pk=client.session["_auth_user_id"])
    assert [(c.words, str(c.who or ""), c.reason) for c in page.context["story"]] == [
        ("Stopped by a breaker, which holds what would have changed (issue, test)", "", ""),
        ("held for release by staff: 2 letters", "", "for a test"),
        ("released by staff: 2 letters", me.username, "Looked at."),
        ("Released", me.username, "Looked at."),
    ]


def test_a_run_that_holds_nothing_is_not_released() -> None:
    run = held_run()
    client = staff("release_letters")
    post(client, url("lettervalidationrun_release", run.pk), reason="Looked at.")

    page = text(client.get(url("lettervalidationrun_release", run.pk), follow=True))

    assert "This run holds nothing." in page
    assert "Release…" not in page


def test_a_plan_is_not_released(false_letter: ProgramLetter) -> None:
    plan = planned()
    client = staff("release_letters")
    address = url("lettervalidationrun_release", plan.pk)

    for page in (text(client.get(address, follow=True)), post(client, address, reason="x")):
        assert f"Run {plan.uuid} is a plan: apply it instead." in page
    assert states(false_letter) == ["active"]


def test_lists_what_the_queue_waits_for(program: Program, run: CourseRun) -> None:
    at = timezone.now()
    held_by = held_run()
    turn, grace, held = (
        LetterRevalidation.objects.create(
            user=user, program=program, opened_at=at, due_at=due_at, held_by=run_
        ).pk
        for user, (due_at, run_) in zip(
            graduates(run, 3),
            ((at, None), (at + timedelta(days=1), None), (None, held_by)),
            strict=True,
        )
    )

    found = {
        choice: [
            row.pk
            for row in staff()
            .get(url("letterrevalidation_changelist"), {"waits_for": choice})
            .context["cl"]
            .result_list
        ]
        for choice in ("turn", "grace", "release")
    }

    assert found == {"turn": [turn], "grace": [grace], "release": [held]}
