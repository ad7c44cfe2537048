"""Mails to institutions, as they arrive at a real mail server."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.models import OutboxMessage
from programs.enums import CreditAnswer, PathwayStatus
from programs.models import Pathway, Program, UserCreditPathway
from programs.selectors.credit import answer_link, request_of_token
from programs.services.credit import answer_request, withdraw_request
from programs.services.sharing import revoke_share
from tests.core.outbox.mail_server import MailServer
from tests.letters.mails import arrived, deliver, part
from tests.programs.credit.asking import (
    ask,
    ask_as_staff,
    by_at,
    complete,
    mails_of,
    mails_to,
    statuses,
    the_mail_to,
)
from tests.programs.factories import AT, LearnerFactory, ProgramFactory, pathway_of

pytestmark = pytest.mark.django_db

PORTAL = "https://portal.example.org"
FOOT = "\n-- \nCredentials Portal sent this mail automatically. Replies are not read.\n"
NORTH = "registrar@north.example"
LATER = AT + timedelta(days=1)


# --- What arrives ------------------------------------------------------------------------


def test_the_institution_gets_one_mail_with_links_that_open_the_record(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    request, _is_new = ask(ann, program, pathway)

    deliver()

    mail = the_mail_to(mail_server, NORTH)
    link = request.shared_record
    assert link
    record = f"{PORTAL}/records/programs/shared/{link.uuid.hex}"
    assert mail["Subject"] == "Data Science Credit Request for Ann Ash"
    sender = mail["From"].addresses[0]
    assert sender.display_name == "Credentials Portal"
    assert sender.addr_spec == "no-reply@portal.example.org"
    assert mail["Reply-To"] == "ann@x.org"
    assert part(mail, "plain") == (
        "Ann Ash would like to apply for credit in the MSc Data.\n\n"
        "Ann Ash has sent their partially completed program record for Data Science.\n\n"
        "Please view or download Ann Ash's public program record to determine their credit"
        " eligibility status.\n\n"
        f"View Program Record:\n{record}/\n\n"
        f"Download Record (CSV):\n{record}/csv\n\n"
        f"Tell Ann Ash what becomes of the request (no account is needed):\n{answer_link(request)}\n\n"
        "The record is shown as it is when you open it, until 1 June 2026 at most,"
        " or until Ann Ash withdraws the request.\n\n"
        "The Credentials Portal Team\n"
        "\n-- \nCredentials Portal sent this mail for Ann Ash, who gets your reply.\n"
    )
    html = part(mail, "html")
    for address in (f"{record}/", f"{record}/csv", answer_link(request)):
        assert f'href="{address}"' in html
    assert mails_of("programs.credit_request") == [("done", "")]
    request.refresh_from_db()
    assert (request.status, request.sent_at) == ("sent", AT)


def test_the_answers_link_is_for_this_request(
    ann: User, program: Program, pathway: Pathway, settings: Any
) -> None:
    settings.PORTAL_BASE_URL = PORTAL
    request, _is_new = ask(ann, program, pathway)

    token = answer_link(request).rstrip("/").rpartition("/")[2]

    assert request_of_token(token, at=AT) == request
    assert answer_link(request) == PORTAL + reverse("answer_credit_request", args=[token])


def test_a_completed_record_is_called_so(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    complete(ann, program)
    ask(ann, program, pathway)

    deliver()

    words = "has sent their completed program record for"
    mail = the_mail_to(mail_server, NORTH)
    assert f"Ann Ash {words} Data Science." in part(mail, "plain")
    assert f"<bdi>Ann Ash</bdi> {words} <bdi>Data Science</bdi>." in part(mail, "html")


def test_what_is_completed_after_the_request_is_not_called_so(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    ask(ann, program, pathway)
    complete(ann, program)

    deliver()

    assert "partially completed" in part(the_mail_to(mail_server, NORTH), "plain")


def test_a_second_request_is_called_updated(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    ask(ann, program, pathway)
    deliver()
    complete(ann, program)
    ask(ann, program, pathway, at=LATER)

    deliver(LATER)

    assert mails_to(mail_server, NORTH) == [
        "Data Science Credit Request for Ann Ash",
        "Data Science Updated Credit Request for Ann Ash",
    ]
    newest = arrived(mail_server)[-2]
    assert newest["To"] == NORTH
    assert "Ann Ash has sent an updated program record for Data Science." in part(newest, "plain")


def test_an_updated_record_that_is_not_complete_is_called_partial(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    ask(ann, program, pathway)
    deliver()
    ask(ann, program, pathway, at=LATER)
    mail_server.received.clear()

    deliver(LATER)

    mail = the_mail_to(mail_server, NORTH)
    assert mail["Subject"] == "Data Science Updated Credit Request for Ann Ash"
    assert "partially completed program record" in part(mail, "plain")


def test_nothing_is_updated_where_nothing_had_arrived(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    mail_server.answers_to[NORTH] = "550 no such mailbox"
    ask(ann, program, pathway)
    deliver()
    mail_server.answers_to.clear()
    ask(ann, program, pathway, at=LATER)

    deliver(LATER)

    assert mails_to(mail_server, NORTH) == ["Data Science Credit Request for Ann Ash"]


def test_the_partners_address_is_the_sender_where_there_is_one(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer, settings: Any
) -> None:
    settings.PARTNER_FROM_ADDRESS = "credit@portal.example.org"
    settings.PLATFORM_NAME = "Ünïted, \r\nBcc: evil@x.org"
    ask(ann, program, pathway)

    deliver()

    sender = the_mail_to(mail_server, NORTH)["From"].addresses[0]
    assert sender.addr_spec == "credit@portal.example.org"
    assert sender.display_name == "Ünïted, Bcc: evil@x.org"


@pytest.mark.parametrize("email", ["", "ann@x.org, bob@x.org", "ann@x.org\r\nBcc: bob@x.org"])
def test_replies_go_nowhere_where_the_learner_has_no_address(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer, email: str
) -> None:
    User.objects.filter(pk=ann.pk).update(email=email)
    ask(ann, program, pathway)

    deliver()

    mail = the_mail_to(mail_server, NORTH)
    assert mail["Reply-To"] is None
    assert part(mail, "plain").endswith(FOOT)
    assert "Replies are not read." in part(mail, "html")
    assert "bob@x.org" not in str(mail)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ({"full_name": ""}, "ann"),
        ({"full_name": " \n "}, "ann"),
        ({"full_name": "", "first_name": "Ann", "last_name": "Other"}, "Ann Other"),
    ],
)
def test_who_has_no_name_is_called_by_the_username(
    ann: User,
    program: Program,
    pathway: Pathway,
    mail_server: MailServer,
    names: dict[str, str],
    shown: str,
) -> None:
    User.objects.filter(pk=ann.pk).update(**names)
    ask(ann, program, pathway)

    deliver()

    assert mails_to(mail_server, NORTH) == [f"Data Science Credit Request for {shown}"]


HOSTILE = [
    ("Ann\r\nBcc: victim@x.org\r\n\r\nHello", "Ann Bcc: victim@x.org Hello"),
    ("Ann\nContent-Type: text/html\n\n<h1>", "Ann Content-Type: text/html <h1>"),
    ("<script>alert(1)</script>&amp;", "<script>alert(1)</script>&amp;"),
    ('"><a href="https://evil.example">', '"><a href="https://evil.example">'),
    ("{{ answer_url }}{% now 'Y' %}%(name)s", "{{ answer_url }}{% now 'Y' %}%(name)s"),
    ("\u202egro.live\u202c \u2066Ann\u2069", "gro.live Ann"),
    ("Ann\u2028Ash\u0085\x1b[31m\x0b\x7f", "Ann Ash [31m"),
    ("أحمد بن محمد", "أحمد بن محمد"),
    ("=?utf-8?b?QmNjOg==?=", None),
    ("名" * 255, "名" * 255),
    ("a" * 255, "a" * 255),
]


@pytest.mark.parametrize(("hostile", "shown"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_only_names(
    mail_server: MailServer, hostile: str, shown: str | None
) -> None:
    learner = LearnerFactory.create(full_name=hostile, email="ann@x.org")
    program = ProgramFactory.create(title=hostile)
    pathway = pathway_of(program, name=hostile, org_name=hostile, email=NORTH)
    request, _is_new = ask(learner, program, pathway)

    deliver()
    answer_request(
        request_uuid=request.uuid, answer=CreditAnswer.GRANTED, note=hostile * 7, by=by_at(AT)
    )
    withdraw_request(request_uuid=request.uuid, by=by_at(LATER))
    deliver(LATER)

    mails = arrived(mail_server)
    assert sorted(mail["To"] for mail in mails) == ["ann@x.org", NORTH, NORTH]
    for mail in mails:
        assert mail["Bcc"] is None
        assert mail.get_content_type() == "multipart/alternative"
        assert mail.get_all("Content-Type") == [mail["Content-Type"]]
        html = part(mail, "html")
        assert "<script" not in html
        assert 'href="https://evil.example"' not in html
        assert "<h1>" not in html.replace('<h1 style="', "")
        for reaching in ("\u202e", "\u2066", "\x1b", "\u2028"):
            assert reaching not in part(mail, "plain") + html + mail["Subject"]
    if shown:
        asked = next(mail for mail in mails if mail["To"] == NORTH)
        lines = part(asked, "plain").splitlines()
        assert lines[0] == f"{shown} would like to apply for credit in the {shown}."
        assert asked["Subject"].replace(" ", "") == f"{shown}CreditRequestfor{shown}".replace(
            " ", ""
        )


def test_an_institution_without_a_proper_address_gets_nothing(
    ann: User, program: Program, mail_server: MailServer
) -> None:
    ask(ann, program, pathway_of(program, email="a@x.org, b@x.org"))

    deliver()

    assert mails_of("programs.credit_request") == [("failed", "bad_address")]
    assert statuses() == ["failed"]
    assert [mail["To"] for mail in arrived(mail_server)] == ["ann@x.org"]


# --- What is not wanted any more ---------------------------------------------------------------


def test_what_is_withdrawn_before_it_left_does_not_leave(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    request, _is_new = ask(ann, program, pathway)
    withdraw_request(request_uuid=request.uuid, by=by_at(AT))

    deliver()

    assert mails_of("programs.credit_request") == [("skipped", "withdrawn")]
    assert mail_server.received == []
    assert statuses() == ["withdrawn"]
    assert OutboxMessage.objects.count() == 1


def test_what_a_retired_learner_asked_does_not_leave(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    ask(ann, program, pathway)
    retire_user(user=ann, at=AT, actor=None, reason="asked for it")

    deliver()

    assert mails_of("programs.credit_request") == [("skipped", "withdrawn")]
    assert mail_server.received == []


def test_what_cannot_be_answered_or_opened_fails_and_is_told(
    ann: User, program: Program, mail_server: MailServer
) -> None:
    locked, closed, dead = [pathway_of(program, name=name) for name in ("A", "B", "C")]
    bob = LearnerFactory.create(is_active=False)
    ask(bob, program, locked)
    ask(ann, program, closed)
    Pathway.objects.filter(pk=closed.pk).update(status=PathwayStatus.RETIRED)
    link = ask(ann, program, dead).request.shared_record
    assert link
    revoke_share(link_uuid=link.uuid, by=by_at(AT))

    deliver()

    assert mails_of("programs.credit_request") == [
        ("skipped", "no_account"),
        ("skipped", "pathway_unavailable"),
        ("skipped", "link_dead"),
    ]
    assert statuses() == ["failed"] * 3
    assert list(UserCreditPathway.objects.order_by("pk").values_list("failure", flat=True)) == [
        "no_account",
        "pathway_unavailable",
        "link_dead",
    ]
    of_closed, of_dead = arrived(mail_server)
    assert of_closed["To"] == of_dead["To"] == "ann@x.org"
    assert "It takes no requests of this kind any more." in part(of_closed, "plain")
    assert "Ask again" not in part(of_closed, "plain") + part(of_closed, "html")
    assert "See your request:\nhttps://" in part(of_closed, "plain")
    assert "Ask again" in part(of_dead, "plain")
    assert "The link that was made for it had been revoked." in part(of_dead, "plain")


# --- Withdrawn ---------------------------------------------------------------------------------


def test_the_institution_that_has_a_request_hears_that_it_was_withdrawn(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    request, _is_new = ask(ann, program, pathway)
    deliver()
    mail_server.received.clear()
    withdraw_request(request_uuid=request.uuid, by=by_at(LATER))

    deliver(LATER)

    mail = the_mail_to(mail_server, NORTH)
    assert mail["Subject"] == "Data Science Credit Request for Ann Ash was withdrawn"
    assert mail["Reply-To"] == "ann@x.org"
    assert part(mail, "plain") == (
        "The request of Ann Ash of 1 June 2025 for credit in the MSc Data,"
        " about the program Data Science, was withdrawn.\n\n"
        "The link to the record no longer opens. There is nothing that you need to do.\n\n"
        "The Credentials Portal Team\n"
        "\n-- \nCredentials Portal sent this mail for Ann Ash, who gets your reply.\n"
    )
    assert "http" not in part(mail, "plain")
    assert len(mail_server.received) == 1


def test_payloads_name_nobody(ann: User, program: Program, pathway: Pathway) -> None:
    request, _is_new = ask_as_staff(ann, program, pathway, staff=LearnerFactory.create())
    answer_request(request_uuid=request.uuid, answer=CreditAnswer.GRANTED, note="x", by=by_at(AT))

    assert list(OutboxMessage.objects.order_by("pk").values_list("payload", flat=True)) == [
        {"request": request.pk},
        {"notice": "request_sent", "request": request.pk, "answered_at": None},
        {
            "notice": "request_answered",
            "request": request.pk,
            "answered_at": "2025-06-01T12:00:00+00:00",
        },
    ]
