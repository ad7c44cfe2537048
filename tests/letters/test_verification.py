import re
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format
from pytest_django import DjangoAssertNumQueries

from credentials_portal.core.history import Attribution
from letters import selectors, services
from letters.enums import IssuedVia, LetterAction, LetterState
from letters.models import ProgramLetter
from letters.services.writing import NewLetter, create_letters
from tests.letters.factories import publish_text
from tests.programs.factories import LearnerFactory, ProgramFactory

pytestmark = pytest.mark.django_db


def letter(
    state: LetterState = LetterState.ACTIVE, name: str = "Ada Lovelace", *, with_text: bool = True
) -> ProgramLetter:
    program = ProgramFactory.create(title="Engines")
    if with_text:
        publish_text(program, at=timezone.now())
    draft = NewLetter(
        user_id=LearnerFactory.create(full_name=name).pk,
        program_id=program.pk,
        state=state,
        action=LetterAction.IMPORTED,
        issued_via=IssuedVia.IMPORT,
        recipient_name=name,
        issued_at=timezone.now(),
    )
    create_letters([draft], by=Attribution(at=timezone.now()))
    return ProgramLetter.objects.get(uuid=draft.uuid)


def path(uuid: object) -> str:
    return f"/letter/program/{uuid}/verify/"


def test_tells_a_stranger_whose_valid_letter_it_is(client: Client) -> None:
    shown = letter()

    page = client.get(path(shown.uuid))

    assert page.status_code == 200
    today = date_format(timezone.localdate(), "j F Y")
    for words in ("This letter is valid", "Ada Lovelace", "Engines", str(shown.uuid), today):
        assert words in page.content.decode()


def test_answers_json_to_who_asks_for_it(client: Client) -> None:
    shown = letter()

    facts = client.get(path(shown.uuid), headers={"accept": "application/json"}).json()

    assert shown.issued_at is not None
    assert facts == {
        "status": "valid",
        "letter": str(shown.uuid),
        "name": "Ada Lovelace",
        "program": "Engines",
        "issued_at": shown.issued_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def test_prints_the_name_as_the_letter_does(client: Client) -> None:
    """With its letters turned round "ecalevoL adA" would look like somebody else's name here."""
    shown = letter(name="\u202eecalevoL  adA")

    page = client.get(path(shown.uuid)).content.decode()
    facts = client.get(path(shown.uuid), headers={"accept": "application/json"}).json()

    assert "<bdi>ecalevoL adA</bdi>" in page
    assert facts["name"] == "ecalevoL adA"
    assert (
        "<bdi>ecalevoL adA</bdi>" in client.get(f"/letter/program/{shown.uuid}/").content.decode()
    )


def test_says_only_that_a_suspended_letter_is_temporarily_not_valid(client: Client) -> None:
    suspended = letter(LetterState.SUSPENDED)

    page = client.get(path(suspended.uuid)).content.decode()
    facts = client.get(path(suspended.uuid), headers={"accept": "application/json"}).json()

    assert "temporarily not valid" in page
    assert "Ada Lovelace" not in page
    assert "Engines" not in page
    assert facts == {"status": "temporarily_not_valid", "letter": str(suspended.uuid)}


def test_says_only_since_when_a_letter_is_withdrawn(client: Client) -> None:
    revoked = letter()
    services.revoke_letter(
        letter_uuid=revoked.uuid, by=Attribution(at=timezone.now(), reason="Copied the capstone.")
    )

    response = client.get(path(revoked.uuid))
    facts = client.get(path(revoked.uuid), headers={"accept": "application/json"}).json()

    page = response.content.decode()
    assert response.status_code == 200
    assert "This letter was withdrawn" in page
    assert not any(words in page for words in ("Ada Lovelace", "Engines", "capstone"))
    assert set(facts) == {"status", "letter", "withdrawn_at"}


def test_each_verdict_says_of_which_letter_and_when_and_names_itself_in_the_title(
    client: Client,
) -> None:
    revoked = letter()
    services.revoke_letter(
        letter_uuid=revoked.uuid, by=Attribution(at=timezone.now(), reason="Copied.")
    )
    titles = {
        letter().uuid: "This letter is valid",
        letter(LetterState.SUSPENDED).uuid: "This letter is temporarily not valid",
        revoked.uuid: "This letter was withdrawn",
        uuid4(): "We cannot confirm this letter",
    }

    for uuid, title in titles.items():
        page = client.get(path(uuid)).content.decode()

        assert f"<title>{title} " in page
        assert f"<code>{uuid}</code>" in page
        today = date_format(timezone.localdate(), "j F Y")
        assert re.search(rf"Checked</dt><dd><time datetime=\S+>{today}, \d\d:\d\d UTC<", page)


def test_what_nobody_may_see_looks_like_what_never_was(client: Client) -> None:
    pending, without_text = letter(LetterState.PENDING), letter(with_text=False)

    for uuid in (pending.uuid, without_text.uuid, uuid4()):
        response = client.get(path(uuid))
        facts = client.get(path(uuid), headers={"accept": "application/json"})

        assert response.status_code == 404
        assert "We cannot confirm this letter" in response.content.decode()
        assert (facts.status_code, facts.json()) == (404, {"status": "not_found"})


@pytest.mark.parametrize("rubbish", ["not-a-uuid", "1", "%00"])
def test_answers_404_to_a_malformed_id(client: Client, rubbish: str) -> None:
    assert client.get(path(rubbish)).status_code == 404


def test_answers_404_to_anything_after_the_address(client: Client) -> None:
    assert client.get(f"{path(letter().uuid)}junk").status_code == 404


def test_escapes_a_hostile_name(client: Client) -> None:
    page = client.get(path(letter(name="<script>alert(1)</script>").uuid)).content.decode()

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_is_neither_indexed_nor_cached_nor_referred(client: Client) -> None:
    response = client.get(path(letter().uuid))

    assert response["X-Robots-Tag"] == "noindex"
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]


def test_asks_the_letters_once(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shown = letter()

    with django_assert_num_queries(1):
        selectors.verify_letter(shown.uuid)


def test_limits_how_often_one_address_asks(client: Client) -> None:
    shown = letter()

    answers = [client.get(path(shown.uuid)).status_code for _ in range(61)]

    assert answers == [200] * 60 + [429]
