"""A request from its first page to its end, over a real mail server."""

import re
from collections.abc import Iterator
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.utils import timezone

from credentials_portal.core import outbox
from programs.models import UserCreditPathway
from tests.core.outbox.mail_server import MailServer
from tests.letters.mails import arrived, part
from tests.programs.factories import pathway_of
from tests.programs.pages.now import earn, learner, program_of, run_of, signed_in, stranger, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_was_counted() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def delivered(server: MailServer) -> list[EmailMessage]:
    """What arrives when all that is due is delivered now."""
    before = len(server.received)
    outbox.deliver_due(clock=timezone.now)
    return arrived(server)[before:]


def paths_in(mail: EmailMessage) -> list[str]:
    return [urlsplit(link).path for link in re.findall(r"https://\S+", part(mail, "plain"))]


def test_a_request_is_made_sent_read_answered_seen_and_withdrawn(mail_server: MailServer) -> None:
    ann = learner(username="ann", email="ann@x.org", full_name="Ann Ash")
    run = run_of("Statistics")
    program = program_of(ann, run, title="Data Science")
    earn(ann, run, "0.87")
    pathway_of(
        program, name="MSc Data", org_name="Northern University", email="registrar@north.example"
    )
    anns, institution = signed_in(ann), stranger()

    # Ann asks.
    ask = f"/programs/{program.uuid}/credit/"
    shown = anns.get(ask).content.decode().partition('name="shown" value="')[2].partition('"')[0]
    pathway_id = program.pathways.get().pk
    anns.post(ask, {"pathway": pathway_id, "shown": shown, "consent": "on"})
    asked = UserCreditPathway.objects.get()
    own_page = f"/credit-requests/{asked.uuid}/"
    assert "on its way since" in words(anns.get(own_page))

    # The institution gets a mail, and Ann a copy, once.
    first = delivered(mail_server)
    second = delivered(mail_server)
    assert [mail["To"] for mail in first + second] == ["registrar@north.example", "ann@x.org"]
    record, csv, answer = paths_in(first[0])[:3]
    assert "sent, not answered since" in words(anns.get(own_page))
    assert f"{own_page}withdraw/" in paths_in((first + second)[1])

    # It reads the record, and answers.
    opened = institution.get(record, follow=True)
    assert opened.status_code == 200
    assert "Statistics" in words(opened)
    assert "87 %" in words(opened)
    assert "ann@x.org" in words(opened)
    assert institution.get(csv).status_code == 200
    assert "Ann Ash asks for credit" in words(institution.get(answer))
    institution.post(answer, {"answer": "granted", "note": "15 ECTS."})

    # Ann is told, and sees it.
    [told] = delivered(mail_server)
    assert told["To"] == "ann@x.org"
    assert own_page in paths_in(told)
    assert "credit granted on" in words(anns.get(own_page))
    assert "They wrote: 15 ECTS." in words(anns.get(own_page))
    assert "Opened 2 times by others" in words(anns.get(own_page))
    assert "Northern University has granted you credit." in words(anns.get("/"))

    # She withdraws: all of it is dead at once, and the institution is told.
    anns.post(f"{own_page}withdraw/")
    assert institution.get(record, follow=True).status_code == 410
    assert institution.get(csv).status_code == 404
    assert institution.get(answer).status_code == 410
    assert "has granted you credit" not in words(anns.get("/"))
    assert [mail["To"] for mail in delivered(mail_server)] == ["registrar@north.example"]
    assert delivered(mail_server) == []
