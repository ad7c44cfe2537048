"""The page on which an institution answers a request, by its signed link alone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.core.signing import Signer
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.models import OutboxMessage
from programs.models import Pathway, UserCreditPathway
from programs.selectors.credit import answer_link
from programs.services.credit import withdraw_request
from tests.programs.factories import BY, CreditRequestFactory, pathway_of
from tests.programs.pages.now import learner, program_of, run_of, signed_in, stranger, words

pytestmark = pytest.mark.django_db

YEAR = timedelta(days=365)


@pytest.fixture(autouse=True)
def _nobody_was_counted() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def asked() -> UserCreditPathway:
    ann = learner(username="ann", email="ann@x.org", full_name="Ann Ash")
    program = program_of(ann, run_of("Statistics"), title="Data Science")
    pathway = pathway_of(program, name="MSc Data", org_name="Northern University")
    now = timezone.now()
    request: UserCreditPathway = CreditRequestFactory.create(
        user=ann, program=program, pathway=pathway, requested_at=now, sent_at=now
    )
    return request


def page(asked: UserCreditPathway) -> str:
    return urlsplit(answer_link(asked)).path


def history_of(asked: UserCreditPathway) -> list[tuple[str, str]]:
    return list(asked.history.order_by("history_id").values_list("answer", "answer_note"))


def test_tells_which_request_it_is_and_leads_to_its_record(asked: UserCreditPathway) -> None:
    response = stranger().get(page(asked))

    said, html = words(response), response.content.decode()
    assert "Northern University : MSc Data Ann Ash asks for credit" in said
    assert "Learner Ann Ash E-mail address ann@x.org Program Data Science Asked" in said
    assert "Completed by then no" in said
    assert asked.shared_record
    old_path = f"/records/programs/shared/{asked.shared_record.uuid.hex}/"
    assert f'{old_path}"' in html
    assert stranger().get(old_path, follow=True).status_code == 200
    assert "What the learner sees now" not in said


def test_to_open_it_changes_nothing(asked: UserCreditPathway) -> None:
    client = stranger()

    for _ in range(3):
        client.get(page(asked))
    client.head(page(asked))
    client.get(page(asked), {"answer": "granted", "note": "by a scanner"})
    refused = client.put(page(asked), {"answer": "granted"})

    assert refused.status_code == 405
    asked.refresh_from_db()
    assert asked.answer == ""
    assert not OutboxMessage.objects.exists()


def test_an_answer_is_kept_and_the_page_tells_what_the_learner_sees(
    asked: UserCreditPathway,
) -> None:
    answer = {"answer": "granted", "note": "15 ECTS.\r\nBring this note."}

    response = stranger().post(page(asked), answer, follow=True)

    asked.refresh_from_db()
    assert (asked.answer, asked.answer_note) == ("granted", "15 ECTS.\nBring this note.")
    assert response.redirect_chain == [(page(asked), 302)]
    said = words(response)
    assert "Your answer is kept. The learner is told by mail." in said
    assert "What the learner sees now credit granted on" in said
    assert "15 ECTS. Bring this note." in said
    assert "credit granted on" in words(
        signed_in(asked.user).get(f"/credit-requests/{asked.uuid}/")
    )
    assert OutboxMessage.objects.get().kind == "programs.record_mail"
    newest = asked.history.latest("history_id")
    assert (newest.history_user, newest.cause) == (None, "institution's page")


def test_who_answers_a_learner_without_an_address_is_not_told_that_they_get_mail(
    asked: UserCreditPathway,
) -> None:
    User.objects.filter(pk=asked.user_id).update(email="")

    response = stranger().post(page(asked), {"answer": "granted"}, follow=True)

    assert "Your answer is kept. The portal cannot mail the learner" in words(response)


def test_an_answer_may_be_changed_and_every_one_is_kept(asked: UserCreditPathway) -> None:
    client = stranger()

    client.post(page(asked), {"answer": "received"})
    client.post(page(asked), {"answer": "refused", "note": "Too old."})
    client.post(page(asked), {"answer": "granted", "note": "We erred."})
    offered = client.get(page(asked)).content.decode()

    given = [("received", ""), ("refused", "Too old."), ("granted", "We erred.")]
    assert [one for one in history_of(asked) if one[0]] == given
    assert OutboxMessage.objects.count() == 3
    assert "We erred.</textarea>" in offered


def test_the_same_answer_twice_is_one(asked: UserCreditPathway) -> None:
    client = stranger()
    given = {"answer": "granted", "note": "15 ECTS."}

    client.post(page(asked), given)
    again = client.post(page(asked), given, follow=True)

    assert "You had answered this already. Nothing was changed." in words(again)
    assert [one for one in history_of(asked) if one[0]] == [("granted", "15 ECTS.")]
    assert OutboxMessage.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "Choose an answer."),
        ({"answer": "maybe"}, "maybe is not one of the available choices."),
        ({"answer": "<script>"}, "<script> is not one of the available choices."),
        ({"answer": "granted", "note": "x" * 2_001}, "at most 2000 characters (it has 2001)"),
        ({"answer": "granted", "note": "a\0b"}, "Null characters are not allowed."),
    ],
    ids=["none", "unknown", "html", "too long", "a NUL"],
)
def test_what_cannot_be_kept_is_told_and_nothing_is_lost(
    asked: UserCreditPathway, given: dict[str, str], told: str
) -> None:
    response = stranger().post(page(asked), given)

    assert response.status_code == 200
    assert told in words(response)
    assert "<script>" not in response.content.decode().partition("<main")[2]
    asked.refresh_from_db()
    assert asked.answer == ""


def test_lines_count_as_browsers_count_them(asked: UserCreditPathway) -> None:
    stranger().post(
        page(asked), {"answer": "granted", "note": "\r\n".join("ab" for _ in range(667))}
    )

    asked.refresh_from_db()
    assert len(asked.answer_note) == 2_000


def test_a_form_of_another_site_is_refused(asked: UserCreditPathway) -> None:
    client = Client(headers={"host": "localhost"}, enforce_csrf_checks=True)

    response = client.post(page(asked), {"answer": "granted"})

    assert response.status_code == 403
    asked.refresh_from_db()
    assert asked.answer == ""


def test_is_found_by_nobody_and_kept_by_nobody(asked: UserCreditPathway) -> None:
    for response in (
        stranger().get(page(asked)),
        stranger().post(page(asked), {"answer": "received"}),
        stranger().post(page(asked), {}),
    ):
        assert response["X-Robots-Tag"] == "noindex"
        assert response["Referrer-Policy"] == "same-origin"
        assert "no-store" in response["Cache-Control"]
        assert "private" in response["Cache-Control"]


def test_a_withdrawn_request_is_gone(asked: UserCreditPathway) -> None:
    withdraw_request(request_uuid=asked.uuid, by=replace(BY, at=timezone.now()))

    looked, posted = (
        stranger().get(page(asked)),
        stranger().post(page(asked), {"answer": "granted"}),
    )

    for response in (looked, posted):
        assert response.status_code == 410
        assert "This request can no longer be answered" in words(response)
        assert "Ann" not in response.content.decode()
        assert response["X-Robots-Tag"] == "noindex"
    asked.refresh_from_db()
    assert asked.answer == ""


@pytest.mark.parametrize(("age", "status"), [(YEAR - timedelta(minutes=5), 200), (YEAR, 410)])
def test_after_a_year_it_is_gone(asked: UserCreditPathway, age: timedelta, status: int) -> None:
    UserCreditPathway.objects.update(requested_at=timezone.now() - age)

    assert stranger().get(page(asked)).status_code == status


def test_a_request_that_was_never_sent_is_not_answered(asked: UserCreditPathway) -> None:
    UserCreditPathway.objects.update(status="failed", sent_at=None)

    assert stranger().get(page(asked)).status_code == 410
    assert stranger().post(page(asked), {"answer": "granted"}).status_code == 410


def test_a_learner_who_left_is_not_told_of(asked: UserCreditPathway) -> None:
    address = page(asked)
    retire_user(user=asked.user, at=timezone.now(), actor=None, reason="asked")

    response = stranger().get(address)

    assert response.status_code == 410
    assert "Ann" not in response.content.decode()


def test_a_token_that_nobody_signed_is_not_found(asked: UserCreditPathway) -> None:
    token = page(asked).rstrip("/").rpartition("/")[2]
    other = Signer(salt="another use").sign(asked.uuid.hex)

    for forged in (token[:-1], f"x{token}", asked.uuid.hex, other, "x", ":", "a%00b", "é"):
        response = stranger().get(f"/credit-requests/answer/{forged}/")
        assert response.status_code == 404, forged
        assert "Ann" not in response.content.decode()


def test_one_requests_link_answers_no_other(asked: UserCreditPathway) -> None:
    other = CreditRequestFactory.create(
        user=asked.user, program=asked.program, pathway=asked.pathway, number=2
    )

    stranger().post(page(asked), {"answer": "granted"})

    other.refresh_from_db()
    assert other.answer == ""


def test_an_address_that_asks_too_often_waits(asked: UserCreditPathway) -> None:
    client = stranger()

    statuses = [client.get(page(asked)).status_code for _ in range(61)]

    assert statuses == [200] * 60 + [429]
    assert client.post(page(asked), {"answer": "granted"}).status_code == 429


def test_names_from_outside_are_text(asked: UserCreditPathway) -> None:
    hostile = "</bdi><script>alert(1)</script>"
    User.objects.filter(pk=asked.user_id).update(
        full_name=hostile, email='"><script>alert(1)</script>@x.org'
    )
    Pathway.objects.update(name=hostile, org_name=hostile)
    UserCreditPathway.objects.update(
        answer="refused", answered_at=BY.at, answer_note="</textarea><script>alert(1)</script>"
    )

    html = stranger().get(page(asked)).content.decode()

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_one_statement_finds_all_that_it_tells(asked: UserCreditPathway) -> None:
    client = stranger()

    with CaptureQueriesContext(connection) as queries:
        client.get(page(asked))

    assert len([one for one in queries if "programs_" in one["sql"]]) == 1
