"""How a letter is seen, on its page in the admin, and how it is brought up to date."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from credentials_portal.accounts.models import User
from letters import services
from letters.admin.words import TextWithdrawn
from letters.enums import Viewer
from letters.models import ProgramLetter, ProgramLetterTemplate
from programs.models import CourseRun, Program
from tests.letters.admin.desk import held_run, page_of, post, seen, signed_in, staff, text, url
from tests.letters.conftest import Statements
from tests.letters.factories import (
    HOUR,
    by_at,
    graduates,
    imported,
    issue,
    publish_text,
    rows,
    story,
)
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db

MAY = "refresh_letter"


def overview(letter: ProgramLetter, *permissions: str) -> Any:
    return staff(*permissions).get(page_of(letter)).context


def refresh(letter: ProgramLetter) -> str:
    return url("programletter_refresh", letter.pk)


def rename(letter: ProgramLetter, name: str) -> None:
    User.objects.filter(pk=letter.user_id).update(full_name=name)


@pytest.fixture
def shown(true_letter: ProgramLetter) -> ProgramLetter:
    publish_text(true_letter.program, at=AT)
    true_letter.refresh_from_db()
    return true_letter


def withdraw(template: ProgramLetterTemplate, **fields: Any) -> None:
    by = by_at(AT + HOUR, **{"reason": "A wrong name.", **fields})
    services.withdraw_template(template_id=template.pk, by=by)


# --- What is seen ------------------------------------------------------------------------------


def test_a_shown_letter_leads_to_what_the_public_sees(shown: ProgramLetter) -> None:
    response = staff().get(page_of(shown))

    page = text(response)
    assert response.context["is_shown"]
    assert "Whoever has its address can open and verify it." in page
    for address in ("/", ".pdf", "/verify/"):
        assert f'href="/letter/program/{shown.uuid}{address}"' in page
    preview = url("programlettertemplate_preview", shown.content_revision_id)
    assert f'href="{preview}?learner={shown.uuid}"' in page
    assert "revision 1" in page


def test_a_letter_without_a_text_says_what_is_missing(true_letter: ProgramLetter) -> None:
    response = staff().get(page_of(true_letter))

    assert not response.context["is_shown"]
    assert response.context["seen_by"].endswith(
        "It is shown as soon as a text of the program is published."
    )
    assert f'href="/letter/program/{true_letter.uuid}.pdf"' not in text(response)


def test_a_letter_whose_text_was_withdrawn_says_so(shown: ProgramLetter) -> None:
    withdraw(ProgramLetterTemplate.objects.get())
    without = overview(shown)
    publish_text(shown.program, at=AT + 2 * HOUR)
    again = overview(shown)

    assert (without["is_shown"], without["text"].standing) == (False, "withdrawn")
    assert (again["is_shown"], again["text"], again["text"].is_current) == (
        True,
        again["current_text"],
        True,
    )


@pytest.mark.parametrize("act", ["pending", "suspended", "revoked"])
def test_says_what_is_seen_of_a_letter_in_each_state(act: str, program: Program) -> None:
    if act == "pending":
        letter = held_run().issued_letters.order_by("pk")[0]
    else:
        publish_text(program)
        (letter,) = imported(program, LearnerFactory.create(), is_active=act != "suspended")
    if act == "revoked":
        services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT))

    context = overview(letter)

    assert not context["is_shown"]
    assert {
        "pending": "Nobody but staff knows of it",
        "suspended": "reads that it is not valid at the moment",
        "revoked": "reads that it was withdrawn",
    }[act] in context["seen_by"]


def test_counts_views_of_thirty_days_by_kind(shown: ProgramLetter) -> None:
    today = timezone.localdate()
    for days, viewer, times in (
        (0, Viewer.OTHER, 3),
        (0, Viewer.HOLDER, 1),
        (29, Viewer.STAFF, 2),
        (30, Viewer.OTHER, 7),
    ):
        for _ in range(times):
            day = today - timedelta(days=days)
            services.count_view(letter_id=shown.pk, viewer=viewer, day=day)

    views = overview(shown)["views"]

    assert views.kinds == ["its holder", "staff", "others"]
    assert views.rows == [(today, [1, 0, 3]), (today - timedelta(days=29), [0, 2, 0])]
    assert views.total == [1, 2, 3]


def test_says_that_nobody_opened_it(shown: ProgramLetter) -> None:
    assert "Nobody opened it in the last 30 days." in text(staff().get(page_of(shown)))


# --- The timeline ------------------------------------------------------------------------------


def told(letter: ProgramLetter) -> list[tuple[str, Any]]:
    return [
        ("withdrawn", entry.reason)
        if isinstance(entry, TextWithdrawn)
        else (
            entry.event.action,
            [(str(d.name), str(d.old), str(d.new)) for d in entry.differences],
        )
        for entry in overview(letter)["timeline"]
    ]


def test_the_timeline_tells_how_the_text_came_and_went(shown: ProgramLetter) -> None:
    actor = User.objects.create(username="rita")
    withdraw(ProgramLetterTemplate.objects.get(), actor=actor)
    publish_text(shown.program, at=AT + 2 * HOUR)

    assert told(shown)[:3] == [
        ("shown", [("text", "revision 1", "revision 2")]),
        ("withdrawn", "A wrong name."),
        ("shown", [("text", "", "revision 1")]),
    ]
    page = text(staff().get(page_of(shown)))
    assert "Hidden: its text was withdrawn" in page
    assert "by rita" in page


def test_a_withdrawal_stands_among_what_happened_before_and_after(shown: ProgramLetter) -> None:
    for at in (AT + HOUR / 2, AT + 2 * HOUR):
        services.revoke_letter(letter_uuid=shown.uuid, by=by_at(at))
        services.reinstate_letter(letter_uuid=shown.uuid, by=by_at(at))
    withdraw(ProgramLetterTemplate.objects.get())

    actions = [action for action, _details in told(shown)]

    assert actions[:6] == [
        *("reinstated", "revoked", "withdrawn", "reinstated", "revoked", "shown"),
    ]


def test_a_text_that_was_withdrawn_later_or_elsewhere_is_not_told(
    shown: ProgramLetter, program: Program
) -> None:
    first = ProgramLetterTemplate.objects.get()
    publish_text(program, at=AT)
    services.refresh_letter(letter_uuid=shown.uuid, by=by_at(AT))
    withdraw(first)

    assert "withdrawn" not in [action for action, _details in told(shown)]


def test_the_timeline_asks_the_same_for_any_number_of_texts(
    shown: ProgramLetter, statements: Statements
) -> None:
    looking, counts = staff(), []
    for times in (1, 5):
        for _ in range(times):
            withdraw(ProgramLetterTemplate.objects.latest("pk"))
            publish_text(shown.program, at=AT + HOUR)
        looking.get(page_of(shown))
        with statements.counted() as asked:
            assert looking.get(page_of(shown)).status_code == 200
        counts.append(len(asked))

    assert counts[0] == counts[1]


# --- Bringing it up to date --------------------------------------------------------------------


def test_shows_what_would_change_and_changes_nothing(shown: ProgramLetter) -> None:
    rename(shown, "Lena <b> Byron")
    publish_text(shown.program, at=AT + HOUR)
    kept = ("letters_programletter", "letters_letterevent")
    before = rows(*kept)

    page = text(staff(MAY).get(refresh(shown)))

    for words in (shown.recipient_name, "Lena &lt;b&gt; Byron", "revision 1", "revision 2"):
        assert words in page
    assert rows(*kept) == before


def test_brings_name_and_text_up_to_date(shown: ProgramLetter) -> None:
    rename(shown, "Lena Byron")
    second = publish_text(shown.program, "Now, {name}.", at=AT + HOUR)
    client = staff(MAY)

    page = post(client, refresh(shown), seen=seen(shown), reason="Married.")

    shown.refresh_from_db()
    event = shown.events.latest("letter_version")
    assert "Name and text are up to date." in page
    assert (shown.recipient_name, shown.content_revision_id) == ("Lena Byron", second.pk)
    assert (event.action, event.note, event.actor_id) == (
        *("refreshed", "Married."),
        int(client.session["_auth_user_id"]),
    )
    assert "Now, <bdi>Lena Byron</bdi>." in text(client.get(f"/letter/program/{shown.uuid}/"))


def test_says_why_a_false_letter_that_is_hidden_stays_so(program: Program) -> None:
    (false,) = imported(program, LearnerFactory.create())
    first, _second = publish_text(program, at=AT), publish_text(program, at=AT)
    services.withdraw_template(template_id=first.pk, by=by_at(AT))
    false.refresh_from_db()

    page = post(staff(MAY), refresh(false), seen=seen(false), reason="Married.")

    assert "Nothing was done: it is hidden, and it would be shown, but" in page
    assert story(false)[-1][0] == "shown"


@pytest.mark.parametrize("reason", ["", " \n", "x" * 501])
def test_needs_a_reason(shown: ProgramLetter, reason: str) -> None:
    rename(shown, "Lena Byron")

    page = post(staff(MAY), refresh(shown), seen=seen(shown), reason=reason)

    assert "errors" in page
    assert story(shown)[-1][0] == "shown"


@pytest.mark.parametrize("stale", ["", "rubbish", "0.0"])
def test_refuses_a_stale_form(shown: ProgramLetter, stale: str) -> None:
    rename(shown, "Lena Byron")

    page = post(staff(MAY), refresh(shown), seen=stale, reason="Married.")

    assert "The letter changed while you were deciding." in page
    assert story(shown)[-1][0] == "shown"


def test_has_nothing_to_do_for_a_letter_that_is_up_to_date(shown: ProgramLetter) -> None:
    response = staff(MAY).get(refresh(shown))
    page = post(staff(MAY), refresh(shown), seen=seen(shown), reason="x")

    assert not response.context["is_possible"]
    assert "Nothing changed: name and text were up to date." in page


@pytest.mark.parametrize("obstacle", ["revoked", "nameless"])
def test_leaves_a_revoked_letter_and_one_of_nobody_alone(
    shown: ProgramLetter, obstacle: str
) -> None:
    if obstacle == "revoked":
        services.revoke_letter(letter_uuid=shown.uuid, by=by_at(AT))
        shown.refresh_from_db()
    rename(shown, "" if obstacle == "nameless" else "Lena Byron")
    events = shown.events.count()

    response = staff(MAY).get(refresh(shown))
    page = post(staff(MAY), refresh(shown), seen=seen(shown), reason="x")

    words = {
        "revoked": "A revoked letter stays as it is.",
        "nameless": "The learner has no name.",
    }[obstacle]
    assert words in text(response)
    assert words in page
    assert shown.events.count() == events


def test_who_may_bring_a_letter_up_to_date(shown: ProgramLetter, run: CourseRun) -> None:
    rename(shown, "Lena Byron")
    learner = signed_in(shown.user)
    (other,) = issue(shown.program, *graduates(run))

    for act in ("get", "post"):
        answers = [
            getattr(who, act)(refresh(shown), {"reason": "x"}).status_code
            for who in (learner, signed_in(other.user), staff(), staff("revoke_letter"))
        ]
        assert answers == [302, 302, 403, 403]
    assert story(shown)[-1][0] == "shown"
    assert "Bring name and text up to date…" in text(staff(MAY).get(page_of(shown)))
    assert "Bring name and text up to date…" not in text(staff().get(page_of(shown)))
