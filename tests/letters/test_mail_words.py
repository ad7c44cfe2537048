"""What the mails to holders say, and what they never say."""

import re

import pytest

from letters import services
from letters.models import ProgramLetter
from programs.models import CourseRun, Program
from tests.core.outbox.mail_server import MailServer
from tests.letters.factories import (
    DAY,
    by_at,
    graduates,
    issue,
    one_course_program,
    publish_text,
)
from tests.letters.mails import arrived, deliver, lift, opt_in, part, suspend
from tests.programs.factories import AT

pytestmark = pytest.mark.django_db

PORTAL = "https://portal.example.org"
SCRIPT = "<script>alert('1')</script> & Söhne"


@pytest.fixture
def course() -> tuple[Program, CourseRun]:
    return one_course_program(title="Data Science")


@pytest.fixture
def letter(course: tuple[Program, CourseRun]) -> ProgramLetter:
    """One that its holder could see."""
    program, run = course
    publish_text(program)
    (letter,) = issue(program, *graduates(run))
    letter.user.full_name, letter.user.email = "Ada Lovelace", "ada@example.org"
    letter.user.save()
    return letter


def revoke(letter: ProgramLetter) -> None:
    services.revoke_letter(
        letter_uuid=letter.uuid, by=by_at(AT + DAY, reason="Copied."), notify=True
    )


def test_says_that_a_letter_is_ready(
    course: tuple[Program, CourseRun], letter: ProgramLetter, mail_server: MailServer
) -> None:
    program, run = course
    opt_in(program)
    (new,) = issue(program, *graduates(run))

    assert deliver() == [("done", "")]

    (mail,) = arrived(mail_server)
    assert (mail["To"], mail["Subject"]) == (
        new.user.email,
        "Your letter for Data Science is ready",
    )
    assert part(mail, "plain").splitlines() == [
        f"Hello {new.user.full_name},",
        "",
        "Your letter for Data Science is ready. It is dated 1 June 2025.",
        "",
        "Open it, print it or save it as a PDF:",
        f"{PORTAL}/letter/program/{new.uuid}/",
        "",
        (
            "Whoever has this address can open the letter and verify it. Share it with whom you like,"
            " or with nobody."
        ),
        "",
        "All your letters (sign in first):",
        f"{PORTAL}/letters/",
        "",
        "-- ",
        "Credentials Portal sent this mail automatically. Replies are not read.",
    ]


def test_says_that_a_letter_is_not_valid_at_the_moment(
    course: tuple[Program, CourseRun], letter: ProgramLetter, mail_server: MailServer
) -> None:
    suspend(course[1], letter, at=AT + DAY, notify=True)

    assert deliver(AT + DAY) == [("done", "")]

    (mail,) = arrived(mail_server)
    assert mail["Subject"] == "Your letter for Data Science is not valid at the moment"
    assert part(mail, "plain").splitlines()[:9] == [
        "Hello Ada Lovelace,",
        "",
        "Your letter for Data Science is not valid at the moment, since 2 June 2025.",
        "",
        (
            "The institution is looking into it, and does not show it meanwhile. Whoever opens or"
            " verifies it is told that it is temporarily not valid, and not why."
        ),
        "",
        (
            "Sign in to see what the records say about it. If you think that they are wrong, ask"
            " the institution. When the letter is valid again, we will write to you."
        ),
        "",
        "How your letters stand (sign in first):",
    ]


def test_says_that_a_letter_was_withdrawn_for_good(
    letter: ProgramLetter, mail_server: MailServer
) -> None:
    revoke(letter)

    assert deliver(AT + DAY) == [("done", "")]

    (mail,) = arrived(mail_server)
    assert mail["Subject"] == "Your letter for Data Science was withdrawn"
    assert part(mail, "plain").splitlines()[2:8] == [
        "Your letter for Data Science was withdrawn on 2 June 2025.",
        "",
        (
            "The institution does not stand by it any more. Whoever opens or verifies it is told that"
            " it was withdrawn, and not why."
        ),
        "",
        (
            "Please do not use copies of it. If you want to know more, or think that this is a"
            " mistake, ask the institution."
        ),
        "",
    ]


def test_says_that_a_letter_is_valid_again(
    course: tuple[Program, CourseRun], letter: ProgramLetter, mail_server: MailServer
) -> None:
    suspend(course[1], letter, notify=True)
    deliver()
    lift(course[1], letter, at=AT + DAY)

    deliver(AT + DAY)

    _withdrawn, mail = arrived(mail_server)
    assert mail["Subject"] == "Your letter for Data Science is valid again"
    assert part(mail, "plain").splitlines()[2:6] == [
        "Your letter for Data Science is valid again, since 2 June 2025. It is dated 1 June 2025.",
        "",
        "It is shown at its old address, and whoever verifies it is told that it is valid:",
        f"{PORTAL}/letter/program/{letter.uuid}/",
    ]


def test_does_not_promise_a_page_where_the_text_is_withdrawn(
    course: tuple[Program, CourseRun], letter: ProgramLetter, mail_server: MailServer
) -> None:
    suspend(course[1], letter, notify=True)
    deliver()
    text = letter.content_revision
    assert text is not None
    services.withdraw_template(template_id=text.pk, by=by_at(AT, reason="A wrong name."))
    lift(course[1], letter)

    deliver()

    _withdrawn, mail = arrived(mail_server)
    assert "is valid again" in part(mail, "plain")
    for kind in ("plain", "html"):
        assert "It will be shown at its old address once" in part(mail, kind)
        assert "It is shown at its old address" not in part(mail, kind)


def test_both_parts_lead_to_the_letter_and_to_all_letters(
    letter: ProgramLetter, mail_server: MailServer
) -> None:
    revoke(letter)
    deliver(AT + DAY)

    (mail,) = arrived(mail_server)
    addresses = {f"{PORTAL}/letter/program/{letter.uuid}/", f"{PORTAL}/letters/"}
    assert mail.get_content_type() == "multipart/alternative"
    assert set(re.findall(r"https?://\S+", part(mail, "plain"))) == addresses
    assert set(re.findall(r'(?:href|src)="([^"]*)"', part(mail, "html"))) == addresses
    assert re.findall(r"<(?:img|script|link|iframe|form)|url\(", part(mail, "html")) == []


def test_names_are_escaped_in_html_and_plain_in_text(
    course: tuple[Program, CourseRun], letter: ProgramLetter, mail_server: MailServer
) -> None:
    program, _run = course
    letter.user.full_name = SCRIPT
    letter.user.save()
    program.title = 'Data <b>&amp; "Science" 100 %(x)s'
    program.save()
    revoke(letter)
    deliver(AT + DAY)

    (mail,) = arrived(mail_server)
    assert mail["Subject"] == f"Your letter for {program.title} was withdrawn"
    assert part(mail, "plain").startswith(f"Hello {SCRIPT},\n\nYour letter for {program.title} was")
    html = part(mail, "html")
    assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt; &amp; Söhne" in html
    assert "Data &lt;b&gt;&amp;amp; &quot;Science&quot; 100 %(x)s" in html
    assert "<script" not in html


@pytest.mark.parametrize(
    ("end", "becomes"),
    [("\n", " "), ("\r\n", " "), ("\r", " "), ("\u2028", " "), ("\x85", ""), ("\x0b", "")],
)
def test_nobody_adds_a_header_or_a_line(
    course: tuple[Program, CourseRun],
    letter: ProgramLetter,
    mail_server: MailServer,
    end: str,
    becomes: str,
) -> None:
    program, _run = course
    letter.user.full_name = f"Ada{end}{end}Your letter is false{end}"
    letter.user.save()
    program.title = f"Data{end}Bcc: eve@example.org{end}{end}Science"
    program.save()
    revoke(letter)
    deliver(AT + DAY)

    (mail,) = arrived(mail_server)
    lines = part(mail, "plain").splitlines()
    title = f"Data{becomes}Bcc: eve@example.org{becomes}Science"
    assert mail["Subject"] == f"Your letter for {title} was withdrawn"
    assert (mail["To"], mail["Bcc"]) == ("ada@example.org", None)
    assert lines[0] == f"Hello Ada{becomes}Your letter is false,"
    assert lines[2] == f"Your letter for {title} was withdrawn on 2 June 2025."


def test_tells_nothing_but_the_name(
    course: tuple[Program, CourseRun], letter: ProgramLetter, mail_server: MailServer
) -> None:
    letter.user.username = "ada1815"
    letter.user.save()
    revoke(letter)
    deliver(AT + DAY)

    (mail,) = arrived(mail_server)
    assert list(mail) == [
        *("Content-Type", "MIME-Version", "Subject", "From", "To", "Date"),
        *("Auto-Submitted", "Message-ID"),
    ]
    assert mail["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        for private in ("Copied.", "ada1815", "ada@example.org", course[1].key):
            assert private not in part(mail, kind)


def test_greets_who_has_no_name_any_more_by_the_letters(
    letter: ProgramLetter, mail_server: MailServer
) -> None:
    letter.user.full_name = ""
    letter.user.save()
    revoke(letter)
    deliver(AT + DAY)

    (mail,) = arrived(mail_server)
    assert part(mail, "plain").splitlines()[0] == f"Hello {letter.recipient_name},"
