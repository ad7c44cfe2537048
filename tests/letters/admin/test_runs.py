"""Plans, held runs and the queue."""

from datetime import timedelta

import pytest
from django.utils import timezone

from letters.models import LetterRevalidation, ProgramLetter
from programs.models import CourseRun, Program
from tests.letters.admin.desk import held_run, post, staff, text, url
from tests.letters.conftest import Statements
from tests.letters.factories import graduates, imported, planned, states
from tests.programs.factories import LearnerFactory

pytestmark = pytest.mark.django_db


def test_a_plan_says_what_it_found_and_how_it_is_applied(
    false_letter: ProgramLetter, run: CourseRun, true_letter: ProgramLetter
) -> None:
    plan = planned()
    code = f"core_course:{run.course.key}"

    response = staff().get(url("lettervalidationrun_change", plan.pk))
    failing = staff().get(url("lettervalidationrun_change", plan.pk), {"check": code})

    assert response.context["counts"] == {"total": 2, "valid": 1, "invalid": 1}
    assert f"python manage.py apply_letter_plan {plan.uuid} --dry-run" in text(response)
    assert [row.letter for row, _words in response.context["results"]] == [
        false_letter,
        true_letter,
    ]
    assert [(row.letter, words) for row, words in failing.context["results"]] == [
        (false_letter, [f"the core course {run.course.key} is not passed"])
    ]


@pytest.mark.parametrize("query", [{"page": "x"}, {"page": "999"}, {"check": "'; --"}])
def test_a_plans_results_are_paged(program: Program, query: dict[str, str]) -> None:
    imported(program, *LearnerFactory.create_batch(51))
    plan = planned()

    first = staff().get(url("lettervalidationrun_change", plan.pk))
    other = staff().get(url("lettervalidationrun_change", plan.pk), query)

    assert len(first.context["results"]) == 50
    assert other.status_code == 200


def test_a_plans_page_asks_the_same_for_any_number_of_letters(
    program: Program, statements: Statements
) -> None:
    looking, counts = staff(), []
    for size in (1, 20):
        imported(program, *LearnerFactory.create_batch(size))
        address = url("lettervalidationrun_change", planned().pk)
        looking.get(address)
        with statements.counted() as asked:
            looking.get(address)
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_releases_what_a_run_holds() -> None:
    run = held_run()
    client = staff("release_letters")
    page = text(client.get(url("lettervalidationrun_change", run.pk)))
    shown = client.get(url("lettervalidationrun_release", run.pk))

    told = post(client, url("lettervalidationrun_release", run.pk), reason="Looked at.")

    assert "2 pending letters" in page
    assert shown.context["outcomes"] == [("released by staff", 2)]
    assert "released by staff: 2" in told
    assert states(*run.issued_letters.all()) == ["active", "active"]
    run.refresh_from_db()
    assert (run.status, run.approval_reason) == ("released", "Looked at.")


def test_release_needs_a_reason() -> None:
    run = held_run()

    page = post(staff("release_letters"), url("lettervalidationrun_release", run.pk), reason=" ")

    assert "This field is required." in page
    assert states(*run.issued_letters.all()) == ["pending", "pending"]


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
