"""A learner's list of requests for credit, one of them, and its withdrawal."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.core.history import save_with_history
from credentials_portal.core.models import OutboxMessage
from programs.enums import CreditAnswer, CreditRequestSource
from programs.models import Pathway, Program, SharedProgramRecord, UserCreditPathway
from programs.services.credit import answer_request, request_credit, withdraw_request
from programs.services.sharing import count_view, share_record
from tests.programs.factories import (
    BY,
    CreditRequestFactory,
    SharedRecordFactory,
    pathway_of,
)
from tests.programs.pages.now import learner, program_of, run_of, signed_in, stranger, words

pytestmark = pytest.mark.django_db

LIST = "/credit-requests/"


@pytest.fixture(autouse=True)
def _nobody_was_counted() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ann() -> User:
    return learner(username="ann", email="ann@x.org", full_name="Ann Ash")


@pytest.fixture
def program(ann: User) -> Program:
    return program_of(ann, run_of("Statistics"), title="Data Science")


@pytest.fixture
def pathway(program: Program) -> Pathway:
    return pathway_of(program, name="MSc Data", org_name="Northern University")


@pytest.fixture
def asked(ann: User, program: Program, pathway: Pathway) -> UserCreditPathway:
    """Made by the services a minute ago, and sent."""
    by = replace(BY, at=timezone.now() - timedelta(minutes=1), actor=ann)
    request, _is_new = request_credit(
        user=ann,
        program=program,
        pathway_id=pathway.pk,
        source=CreditRequestSource.WEB,
        consent_text="Send it.",
        by=by,
    )
    request.status, request.sent_at = "sent", by.at
    request.save()
    return request


def page(asked: UserCreditPathway) -> str:
    return f"{LIST}{asked.uuid}/"


def withdrawal(asked: UserCreditPathway) -> str:
    return f"{page(asked)}withdraw/"


def answer(asked: UserCreditPathway, said: CreditAnswer, note: str = "") -> None:
    by = replace(BY, at=timezone.now(), actor=None)
    answer_request(request_uuid=asked.uuid, answer=said, note=note, by=by)


def test_who_asked_nobody_reads_how_to() -> None:
    said = words(signed_in(learner()).get(LIST))

    assert "You have asked no institution yet." in said
    assert "Your programs" in said


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"queued": True}, "on its way since 1 June 2025 The mail to Northern University leaves"),
        ({}, "sent, not answered since 1 June 2025 Northern University has your request."),
        (
            {"failed": True},
            "could not be sent The mail to Northern University was not taken, so it knows nothing",
        ),
        (
            {"failed": True, "failure": "pathway_unavailable"},
            "could not be sent Northern University had stopped taking requests of this kind",
        ),
        (
            {"failed": True, "failure": "link_dead"},
            "could not be sent The link that was made for it had been revoked before the mail left",
        ),
        (
            {"status": "withdrawn", "withdrawn_at": BY.at},
            "withdrawn on 1 June 2025 Northern University can no longer open your record by its link",
        ),
        (
            {"answer": "received", "answered_at": BY.at},
            "being looked at on 1 June 2025 Northern University has received it, and has not",
        ),
        (
            {"answer": "granted", "answered_at": BY.at, "answer_note": "15 ECTS."},
            "counts your record. What that means there, they tell you. They wrote: 15 ECTS.",
        ),
        (
            {"answer": "refused", "answered_at": BY.at},
            "credit refused on 1 June 2025 Northern University does not count your record.",
        ),
        (
            {"legacy": True},
            "An older system sent it, so Northern University cannot answer here. It writes to you",
        ),
        (
            {"legacy": True, "status": "withdrawn", "withdrawn_at": BY.at},
            "Northern University was not told that it is withdrawn, and links that you share",
        ),
        (
            {"legacy": True, "status": "other", "sent_at": None},
            "unknown It was made in an older system, which did not keep whether it was sent.",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_each_state_is_told_with_its_reason_and_what_comes_next(
    ann: User, program: Program, pathway: Pathway, fields: dict[str, object], told: str
) -> None:
    fields = {"program": program} | fields
    asked = CreditRequestFactory.create(user=ann, pathway=pathway, **fields)
    client = signed_in(ann)

    assert told in words(client.get(page(asked)))
    assert told.partition(" They wrote")[0] in words(client.get(LIST))


@pytest.mark.parametrize(
    ("fields", "promised"),
    [
        ({"queued": True}, "When it has, you get a copy."),
        ({}, "When it answers here, you get a mail."),
        ({"answer": "received", "answered_at": BY.at}, "You get a mail when it has."),
    ],
    ids=["on its way", "sent", "received"],
)
def test_mail_is_promised_only_to_who_has_an_address(
    ann: User, program: Program, fields: dict[str, object], promised: str
) -> None:
    asked = CreditRequestFactory.create(user=ann, program=program, **fields)
    client = signed_in(ann)

    with_address = words(client.get(page(asked)))
    User.objects.filter(pk=ann.pk).update(email="")
    without = words(client.get(page(asked)))

    assert promised in with_address
    assert promised not in without


def test_the_newest_request_comes_first_and_old_ones_may_name_no_program(
    ann: User, program: Program, pathway: Pathway
) -> None:
    CreditRequestFactory.create(
        user=ann, pathway=pathway, legacy=True, requested_at=BY.at - timedelta(days=900)
    )
    CreditRequestFactory.create(user=ann, pathway=pathway, program=program)

    said = words(signed_in(ann).get(LIST))

    assert "Data Science Northern University : MSc Data Asked on 1 June 2025" in said
    assert "Program not known Northern University : MSc Data Asked on 14 December 2022" in said
    assert said.index("Data Science") < said.index("Program not known")


def test_the_page_tells_all_that_happened_newest_first(asked: UserCreditPathway) -> None:
    answer(asked, CreditAnswer.RECEIVED)
    answer(asked, CreditAnswer.GRANTED, "15 ECTS.\nBring this note.")

    said = words(signed_in(asked.user).get(page(asked)))

    story = said.partition("What happened ")[2]
    places = [
        story.index(told)
        for told in (
            "Credit granted. 15 ECTS. Bring this note.",
            "Received, the institution says.",
            "Sent to the institution.",
            "Asked for.",
        )
    ]
    assert places == sorted(places)
    assert "You agreed to Send it." in said


def test_the_institutions_link_is_told_with_its_views(asked: UserCreditPathway) -> None:
    assert asked.shared_record
    for _ in range(3):
        count_view(shared_record_id=asked.shared_record.pk, at=timezone.now())

    said = words(signed_in(asked.user).get(page(asked)))

    assert "Their link works until" in said
    assert "Opened 3 times by others, last on" in said


def test_a_note_of_the_institution_is_text_with_its_lines(asked: UserCreditPathway) -> None:
    answer(asked, CreditAnswer.REFUSED, "No.\n<img src=x onerror=alert(1)>")

    html = signed_in(asked.user).get(page(asked)).content.decode()

    assert "No.\n&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<img src=x" not in html


def test_asking_again_leads_to_the_same_institution(asked: UserCreditPathway) -> None:
    client = signed_in(asked.user)
    address = f'href="/programs/{asked.program.uuid}/credit/?pathway={asked.pathway_id}"'  # type: ignore[union-attr]  # has a program

    before = client.get(page(asked)).content.decode()
    Pathway.objects.update(status="retired")
    after = client.get(page(asked)).content.decode()

    assert address in before
    assert "Ask again" not in after


def test_staff_who_asked_for_the_learner_are_told_of(ann: User) -> None:
    staff = learner()
    asked = CreditRequestFactory.create(
        user=ann, source="staff", requested_by=staff, on_behalf_reason="She called us."
    )

    said = words(signed_in(ann).get(page(asked)))

    assert "by staff for you Why they asked She called us." in said


def test_withdrawing_tells_first_what_happens(asked: UserCreditPathway) -> None:
    client = signed_in(asked.user)

    said = words(client.get(withdrawal(asked)))
    client.head(withdrawal(asked))

    assert "Withdraw your request to Northern University ?" in said
    assert "The link that was made for them stops working at once." in said
    assert "Northern University is told by mail that you have withdrawn it" in said
    asked.refresh_from_db()
    assert asked.status == "sent"


def test_who_withdraws_kills_that_link_and_no_other(
    asked: UserCreditPathway, program: Program
) -> None:
    by = replace(BY, at=timezone.now())
    own = share_record(user=asked.user, program=program, by=by).link
    client = signed_in(asked.user)

    response = client.post(withdrawal(asked), follow=True)

    asked.refresh_from_db()
    assert asked.shared_record
    assert (asked.status, asked.shared_record.end) == ("withdrawn", "withdrawn")
    assert asked.history.latest("history_id").history_user == asked.user
    assert "You have withdrawn your request." in words(response)
    assert "Their link works no more the request was withdrawn" in words(response)
    assert stranger().get(f"/programs/shared/{asked.shared_record.uuid}/").status_code == 410
    assert stranger().get(f"/programs/shared/{own.uuid}/").status_code == 200


def test_what_staff_withdrew_is_not_said_to_be_the_learners_doing(asked: UserCreditPathway) -> None:
    by = replace(BY, at=timezone.now(), actor=learner(full_name="Sam Staff"))
    withdraw_request(request_uuid=asked.uuid, by=by)

    said = words(signed_in(asked.user).get(page(asked)))

    assert "Withdrawn by the portal's staff. The link of the institution stopped working." in said
    assert "You withdrew" not in said
    assert "Sam" not in said


def test_who_withdraws_what_an_older_system_sent_reads_that_nobody_is_told(
    ann: User, program: Program, pathway: Pathway
) -> None:
    imported = CreditRequestFactory.create(
        user=ann, program=program, pathway=pathway, shared_record=None, source="import"
    )
    client = signed_in(ann)

    said = words(client.get(withdrawal(imported)))
    after = words(client.post(withdrawal(imported), follow=True))

    assert "It was made in an older system: Northern University is not told." in said
    assert "Links that you share yourself stay: it may have one of them. Your links" in said
    assert "What they have read or copied stays with them." in said
    assert "by mail" not in said
    assert "You have withdrawn your request." in after
    assert "stopped working" not in after
    assert not OutboxMessage.objects.exists()


def test_what_is_tried_again_was_not_asked_for_twice(ann: User, program: Program) -> None:
    asked = CreditRequestFactory.create(user=ann, program=program, queued=True)
    for status in ("queued", "failed", "queued"):
        asked.status = status
        save_with_history(asked, by=BY)

    story = words(signed_in(ann).get(page(asked))).partition("What happened ")[2]

    assert story.count("Asked for.") == 1
    assert "Tried again. Nobody knows yet whether it arrived." in story


def test_withdrawing_twice_is_withdrawing_once(asked: UserCreditPathway) -> None:
    client = signed_in(asked.user)

    client.post(withdrawal(asked))
    versions, messages = asked.history.count(), OutboxMessage.objects.count()
    again = client.post(withdrawal(asked), follow=True)

    assert "It was withdrawn already." in words(again)
    assert (asked.history.count(), OutboxMessage.objects.count()) == (versions, messages)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"failed": True}, "It was never sent: there is nothing to withdraw."),
        ({"legacy": True, "status": "other"}, "It was made in an older system: there is nothing"),
    ],
    ids=["failed", "other"],
)
def test_what_was_never_sent_is_not_withdrawn(
    ann: User, fields: dict[str, object], why: str
) -> None:
    asked = CreditRequestFactory.create(user=ann, **fields)
    client = signed_in(ann)

    looked, posted = (call(withdrawal(asked), follow=True) for call in (client.get, client.post))

    for response in (looked, posted):
        assert response.redirect_chain == [(page(asked), 302)]
        assert why in words(response)
    assert asked.history.count() == 1


def test_a_withdrawn_request_offers_no_withdrawal(asked: UserCreditPathway) -> None:
    withdraw_request(request_uuid=asked.uuid, by=replace(BY, at=timezone.now()))

    html = signed_in(asked.user).get(page(asked)).content.decode()

    assert withdrawal(asked) not in html


def test_others_requests_are_not_found(asked: UserCreditPathway) -> None:
    other, staff = learner(), learner(is_staff=True, is_superuser=True)

    for address in (page(asked), withdrawal(asked)):
        anonymous = stranger().get(address)
        assert anonymous["Location"] == f"/accounts/login/?next={address}"
        for client in (signed_in(other), signed_in(staff)):
            assert client.get(address).status_code == 404
            assert client.post(withdrawal(asked)).status_code == 404
    assert stranger().get(LIST).status_code == 302
    assert "MSc Data" not in words(signed_in(other).get(LIST))
    asked.refresh_from_db()
    assert asked.status == "sent"


def test_pages_are_kept_by_nobody(asked: UserCreditPathway) -> None:
    client = signed_in(asked.user)

    for address in (LIST, page(asked), withdrawal(asked)):
        assert "no-store" in client.get(address)["Cache-Control"]


def test_statements_do_not_grow(ann: User, program: Program) -> None:
    client = signed_in(ann)
    asked = CreditRequestFactory.create(user=ann, program=program)
    client.get(LIST)

    def counted(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    first = counted(LIST), counted(page(asked))
    for _ in range(20):
        CreditRequestFactory.create(user=ann, program=program)
        SharedRecordFactory.create(user=ann, program=program, revoked=True)
    answer(asked, CreditAnswer.GRANTED, "15 ECTS.")

    assert (counted(LIST), counted(page(asked))) == first == (3, 6)
    assert SharedProgramRecord.objects.count() == 41
