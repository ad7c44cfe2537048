"""The page of a letter: state, reason, next action, checks, timeline."""

from datetime import timedelta
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from letters import services
from letters.models import ProgramLetter
from programs.models import CourseRun, Program
from tests.letters.admin.desk import ask, held_run, numbers, page_of, staff, text, url
from tests.letters.conftest import Statements
from tests.letters.factories import applied, by_at, grade, imported, planned, revalidate
from tests.programs.factories import AT, RUN_ENDS, LearnerFactory

pytestmark = pytest.mark.django_db


def test_says_state_reason_and_next_action_first(true_letter: ProgramLetter) -> None:
    context = staff().get(page_of(true_letter)).context

    assert (context["reason"], context["next_action"]) == ("", "Nothing: it is true.")
    assert {check.status for check in context["checks"]} == {"passes"}
    assert [entry.event.action for entry in context["timeline"]] == ["released", "held"]


def test_an_active_letter_that_fails_says_why(false_letter: ProgramLetter, run: CourseRun) -> None:
    response = staff().get(page_of(false_letter))

    assert f'<dd class="mb-2">The core course {run.course.key} is not passed</dd>' in text(response)
    assert "next nightly check of all letters" in response.context["next_action"]


def test_a_reason_in_words_needs_no_code(true_letter: ProgramLetter) -> None:
    services.revoke_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="Copied."))
    services.reinstate_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="A mistake."))

    assert '<dd class="mb-2">“A mistake.”</dd>' in text(staff().get(page_of(true_letter)))


def test_judges_live(false_letter: ProgramLetter, run: CourseRun) -> None:
    looking = staff()
    code = f"core_course:{run.course.key}"

    def check() -> Any:
        checks = looking.get(page_of(false_letter)).context["checks"]
        return next(check for check in checks if check.code == code)

    assert (check().status, check().evidence) == ("fails", [])
    assert check().words == f"the core course {run.course.key} is not passed"

    grade(run, false_letter.user)

    assert check().status == "passes"
    assert check().evidence[0] | {"id": None} == {
        "course": run.course.key,
        "run": run.key,
        "source": "grade",
        "id": None,
        "earned_at": RUN_ENDS,
    }


def test_says_that_it_is_queued(false_letter: ProgramLetter, run: CourseRun) -> None:
    grade(run, false_letter.user, percent="0.1")
    revalidate(AT)

    page = text(staff(time_zone="Asia/Tokyo").get(page_of(false_letter)))

    assert "It is looked at on 2 June 2025, 21:00, and suspended" in page
    assert 'datetime="2025-06-02T21:00:00+09:00"' in page


def test_says_which_run_holds_it() -> None:
    run = held_run()
    letter = run.issued_letters.order_by("pk")[0]

    response = staff().get(page_of(letter))

    assert response.context["next_action"] == f"Look at it and release run {run}, which holds it."
    assert url("lettervalidationrun_change", run.pk) in text(response)


def test_tells_what_changed(false_letter: ProgramLetter, run: CourseRun) -> None:
    applied(planned())
    grade(run, false_letter.user, graded_at=AT)
    revalidate(AT + timedelta(days=2))

    entry = staff().get(page_of(false_letter)).context["timeline"][0]

    assert entry.event.action == "reissued"
    assert [(each.name, each.old, each.new) for each in entry.differences] == [
        ("date of issue", RUN_ENDS, AT + timedelta(days=2)),
        ("evidence", None, None),
    ]


@pytest.mark.parametrize("act", ["suspended", "revoked", "retired", "imported_inactive"])
def test_says_what_leads_out_of_each_state(
    act: str, program: Program, false_letter: ProgramLetter
) -> None:
    letter = false_letter
    if act == "suspended":
        applied(planned())
    elif act == "revoked":
        services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT, reason="Misconduct."))
    elif act == "retired":
        retire_user(user=letter.user, at=AT, actor=None, reason="left")
    else:
        letter = imported(program, LearnerFactory.create(), is_active=False)[0]

    context = staff("reinstate_letter", "revoke_letter").get(page_of(letter)).context
    offered = [decision.name for decision, _address in context["decisions"]]

    assert (context["next_action"], offered) == {
        "suspended": ("It is lifted by itself once its checks pass or are waived.", ["revoke"]),
        "revoked": (
            "Nothing brings it back but a person, and not before its checks pass or are waived.",
            ["reinstate"],
        ),
        "retired": ("Nothing: it stays withdrawn.", []),
        "imported_inactive": (
            f"Only a reviewed plan lifts it: validate_letters --letter {letter.uuid}",
            ["revoke"],
        ),
    }[act]


def test_shows_notes_as_text(true_letter: ProgramLetter) -> None:
    note = "<script>alert(1)</script>"
    services.revoke_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason=note))
    User.objects.filter(pk=true_letter.user_id).update(username="<b>lena</b>")
    client = staff("reinstate_letter")

    for address in (page_of(true_letter), ask("reinstate", true_letter)):
        page = text(client.get(address))
        assert note not in page
        assert "<b>lena" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text(client.get(page_of(true_letter)))


def test_the_page_asks_the_same_for_any_number_of_events(
    true_letter: ProgramLetter, statements: Statements
) -> None:
    looking, counts = staff(), []
    for times in (1, 10):
        for _ in range(times):
            by = by_at(AT, actor=User.objects.create(username=f"who{next(numbers)}"), reason="x")
            services.revoke_letter(letter_uuid=true_letter.uuid, by=by)
            services.reinstate_letter(letter_uuid=true_letter.uuid, by=by)
        looking.get(page_of(true_letter))
        with statements.counted() as asked:
            assert looking.get(page_of(true_letter)).status_code == 200
        counts.append(len(asked))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("key", ["0", "abc", "99999999999999999999"])
def test_an_unknown_letter_is_no_error(key: str) -> None:
    client = staff("revoke_letter")

    assert client.get(url("programletter_change", key)).status_code == 302
    page = text(client.get(f"{url('programletter_revoke')}?letter={key}", follow=True))
    assert "Choose letters first." in page
