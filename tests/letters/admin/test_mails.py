"""Mails to holders that staff ask for at their desk."""

import re

import pytest

from credentials_portal.core.models import OutboxMessage
from letters import services
from letters.models import ProgramLetter, ProgramLetterConfiguration
from programs.models import CourseRun, Program
from tests.letters.admin.desk import ask, post, seen, staff, text, url
from tests.letters.factories import by_at, graduates, issue, publish_text, states
from tests.programs.factories import AT

pytestmark = pytest.mark.django_db


@pytest.fixture
def letters(program: Program, run: CourseRun) -> list[ProgramLetter]:
    """One that its holder never saw, since the text was withdrawn by then, and one that was seen."""
    template = publish_text(program)
    (visible,) = issue(program, *graduates(run))
    services.withdraw_template(template_id=template.pk, by=by_at(AT))
    (unseen,) = issue(program, *graduates(run))
    return [unseen, visible]


def told() -> list[tuple[int, str]]:
    payloads = OutboxMessage.objects.order_by("pk").values_list("payload", flat=True)
    return [(payload["letter"], payload["notice"]) for payload in payloads]


def test_revoking_tells_nobody_by_itself(letters: list[ProgramLetter]) -> None:
    page = post(
        staff("revoke_letter"), ask("revoke", *letters), seen=seen(*letters), reason="Copied."
    )

    assert "Revoked: 2" in page
    assert "Holders told by mail" not in page
    assert told() == []


def test_revoking_tells_who_could_have_seen_the_letter_if_asked(
    letters: list[ProgramLetter],
) -> None:
    client = staff("revoke_letter")
    shown = text(client.get(ask("revoke", *letters)))

    page = post(client, ask("revoke", *letters), seen=seen(*letters), reason="Copied.", notify="on")

    assert shown.count("It was never shown: its holder gets no mail.") == 1
    assert shown.count("Its holder could have seen it, and can be told.") == 1
    assert "Revoked: 2" in page
    assert "Holders told by mail: 1" in page
    assert told() == [(letters[1].pk, "withdrawn")]


def test_a_form_that_is_refused_tells_nobody_and_keeps_the_wish(
    letters: list[ProgramLetter],
) -> None:
    fields = {"seen": seen(*letters), "reason": "", "notify": "on"}

    page = post(staff("revoke_letter"), ask("revoke", *letters), **fields)

    assert states(*letters) == ["active", "active"]
    assert told() == []
    assert re.search(r'<input[^>]*name="notify"[^>]* checked', page)


def test_reinstating_offers_no_mail_and_tells_who_was_told(letters: list[ProgramLetter]) -> None:
    _unseen, visible = letters
    for letter, notify in zip(letters, (False, True), strict=True):
        services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT), notify=notify)
        letter.refresh_from_db()
    client = staff("reinstate_letter")
    shown = text(client.get(ask("reinstate", *letters)))

    post(client, ask("reinstate", *letters), seen=seen(*letters), reason="An error.", notify="on")

    assert 'name="notify"' not in shown
    assert told() == [(visible.pk, "withdrawn"), (visible.pk, "valid_again")]


def test_a_program_opts_in_to_mails_about_new_letters(program: Program, run: CourseRun) -> None:
    publish_text(program)
    issue(program, *graduates(run))
    configuration = ProgramLetterConfiguration.objects.get()
    client = staff("change_programletterconfiguration")
    address = url("programletterconfiguration_change", configuration.pk)
    assert told() == []

    post(client, address, mail_on_issue="on", reason="The dean wants it.")
    (new,) = issue(program, *graduates(run))

    latest = configuration.history.latest("history_id")
    assert (latest.mail_on_issue, latest.history_change_reason) == (True, "The dean wants it.")
    assert told() == [(new.pk, "issued")]
