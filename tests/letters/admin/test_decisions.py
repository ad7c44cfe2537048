"""Revoking and reinstating: with a reason, about what was seen."""

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from letters import services
from letters.models import ProgramLetter
from programs.models import CourseRun, Program
from tests.letters.admin.desk import ask, post, seen, staff, text, url
from tests.letters.conftest import Statements
from tests.letters.factories import by_at, imported, rows, states, story
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db


def test_revokes_with_a_reason(true_letter: ProgramLetter) -> None:
    client = staff("revoke_letter")
    shown = text(client.get(ask("revoke", true_letter)))

    page = post(client, ask("revoke", true_letter), seen=seen(true_letter), reason="Misconduct.")

    assert f"{true_letter.recipient_name} ({true_letter.user})" in shown
    assert "Revoked: 1" in page
    event = true_letter.events.order_by("-letter_version")[0]
    assert (event.action, event.note, event.cause) == ("revoked", "Misconduct.", "admin")
    assert event.actor == User.objects.get(pk=client.session["_auth_user_id"])


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 501])
def test_needs_a_reason(true_letter: ProgramLetter, reason: str) -> None:
    before = rows("letters_programletter", "letters_letterevent", "core_outboxmessage")

    page = post(
        staff("revoke_letter"), ask("revoke", true_letter), seen=seen(true_letter), reason=reason
    )

    assert "errors" in page
    assert seen(true_letter)[0] in page
    assert rows(*before) == before


def test_refuses_a_stale_form(true_letter: ProgramLetter) -> None:
    shown = seen(true_letter)
    services.revoke_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="First."))
    services.reinstate_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="Second."))
    before = rows("letters_programletter", "letters_letterevent")

    page = post(staff("revoke_letter"), ask("revoke", true_letter), seen=shown, reason="Third.")

    assert f"{true_letter}: The letter changed while you were deciding." in page
    assert rows(*before) == before


def test_a_stale_form_stays_stale_after_an_error(true_letter: ProgramLetter) -> None:
    """The page that asks for the reason again still speaks of the letter that was seen."""
    shown = seen(true_letter)
    services.revoke_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="First."))
    services.reinstate_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="Second."))

    page = post(staff("revoke_letter"), ask("revoke", true_letter), seen=shown, reason="")

    assert f'value="{shown[0]}"' in page


def test_an_error_is_told_at_the_top_and_at_its_field(true_letter: ProgramLetter) -> None:
    page = post(
        staff("revoke_letter"), ask("revoke", true_letter), seen=seen(true_letter), reason=""
    )

    assert "Nothing was changed. Please look at this again:" in page
    assert '<a class="underline" href="#id_reason">Reason</a>: This field is required.' in page
    assert page.count("This field is required.") == 2


@pytest.mark.parametrize("given", [[], ["x"], ["1"], ["1.2.3"], ["-1.1"], ["²." + "9" * 40]])
def test_a_malformed_form_does_nothing(true_letter: ProgramLetter, given: list[str]) -> None:
    page = post(staff("revoke_letter"), url("programletter_revoke"), seen=given, reason="x")

    assert "Choose letters first." in page
    assert states(true_letter) == ["active"]


def test_reinstates_what_stands_up_to_its_checks(true_letter: ProgramLetter) -> None:
    services.revoke_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="Misconduct."))
    true_letter.refresh_from_db()
    client = staff("reinstate_letter")

    page = post(client, ask("reinstate", true_letter), seen=seen(true_letter), reason="An error.")

    assert "Reinstated: 1" in page
    assert states(true_letter) == ["active"]
    assert story(true_letter)[-1] == ("reinstated", "active", "reinstated")


def test_shows_the_checks_that_fail_and_refuses(
    false_letter: ProgramLetter, run: CourseRun
) -> None:
    services.revoke_letter(letter_uuid=false_letter.uuid, by=by_at(AT, reason="False."))
    false_letter.refresh_from_db()
    client = staff("reinstate_letter")
    failing = f"the core course {run.course.key} is not passed"

    shown = text(client.get(ask("reinstate", false_letter)))
    page = post(client, ask("reinstate", false_letter), seen=seen(false_letter), reason="x")

    assert failing in shown
    assert 'type="submit"' not in shown.split("<form method", 1)[-1].split("</form>")[0]
    assert f"It cannot be reinstated: {failing}" in page
    assert states(false_letter) == ["revoked"]


def test_a_letter_whose_holder_left_stays_withdrawn(true_letter: ProgramLetter) -> None:
    retire_user(user=true_letter.user, at=AT, actor=None, reason="left")
    true_letter.refresh_from_db()

    page = post(
        staff("reinstate_letter"), ask("reinstate", true_letter), seen=seen(true_letter), reason="x"
    )

    assert "It cannot be reinstated: the learner has no name" in page
    assert states(true_letter) == ["revoked"]


def test_tells_the_outcome_of_each_chosen_letter(program: Program) -> None:
    letters = imported(program, *LearnerFactory.create_batch(3))
    untouched, stale, revoked = letters
    services.revoke_letter(letter_uuid=revoked.uuid, by=by_at(AT, reason="Before."))
    revoked.refresh_from_db()
    client = staff("revoke_letter")
    listed = client.post(
        url("programletter_changelist"),
        {"action": "revoke_chosen", "_selected_action": [letter.pk for letter in letters]},
    )
    asked = client.get(listed["Location"])
    shown = [prospect.seen for prospect in asked.context["prospects"]]
    services.revoke_letter(letter_uuid=stale.uuid, by=by_at(AT, reason="Meanwhile."))

    page = post(client, listed["Location"], seen=shown, reason="All of them.")

    assert [prospect.is_possible for prospect in asked.context["prospects"]] == [True, True, False]
    assert shown == [f"{untouched.pk}.1", f"{stale.pk}.1", f"{revoked.pk}.2"]
    assert "Revoked: 1" in page
    assert f"{stale}: The letter changed while you were deciding." in page
    assert f"{revoked}: was revoked already" in page
    assert [letter.events.count() for letter in letters] == [2, 2, 2]


def test_choosing_changes_nothing(true_letter: ProgramLetter) -> None:
    chosen = {"action": "revoke_chosen", "_selected_action": [true_letter.pk]}

    for client in (staff("revoke_letter"), staff()):
        client.post(url("programletter_changelist"), chosen | {"select_across": "1"})

    assert states(true_letter) == ["active"]


def test_asking_needs_the_same_statements_for_any_number_of_letters(
    program: Program, statements: Statements
) -> None:
    letters = imported(program, *LearnerFactory.create_batch(20))
    client, counts = staff("revoke_letter"), []
    for chosen in (letters[:1], letters):
        client.get(ask("revoke", *chosen))
        with statements.counted() as asked:
            assert client.get(ask("revoke", *chosen)).status_code == 200
        counts.append(len(asked))

    assert counts[0] == counts[1]
