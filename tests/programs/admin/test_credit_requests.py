"""Credit requests in the admin: how they are found, what they tell, what staff do about them."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from programs.enums import CreditAnswer, CreditRequestSource, CreditRequestStatus
from programs.models import Pathway, Program, UserCreditPathway
from programs.selectors import overview
from programs.services.credit import notices
from tests.programs.admin.desk import (
    ROLES,
    act,
    links,
    member_of,
    message_of,
    page,
    rows,
    staff,
    url,
    words,
)
from tests.programs.factories import (
    CreditRequestFactory,
    LearnerFactory,
    PathwayFactory,
)

pytestmark = pytest.mark.django_db

MODEL = "usercreditpathway"
DAY = timedelta(days=1)


def stands(message: OutboxMessage, status: OutboxStatus) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(status=status)


def sent(request: UserCreditPathway) -> None:
    UserCreditPathway.objects.filter(pk=request.pk).update(
        status=CreditRequestStatus.SENT, sent_at=timezone.now()
    )


# --- The list ----------------------------------------------------------------------------------


def test_is_found_by_its_uuid_and_by_its_learner(
    registrar: Client, asked: UserCreditPathway
) -> None:
    CreditRequestFactory.create()

    for term in (str(asked.uuid), asked.uuid.hex, "ada", "ADA@x.org"):
        assert rows(registrar, MODEL, q=term) == [asked], term
    assert rows(registrar, MODEL, q="ad") == []


def test_filters_find_what_they_say(registrar: Client, program: Program, pathway: Pathway) -> None:
    person = LearnerFactory.create()
    one = CreditRequestFactory.create(
        program=program,
        pathway=pathway,
        was_completed=True,
        answer=CreditAnswer.GRANTED,
        answered_at=timezone.now(),
        source=CreditRequestSource.STAFF,
        on_behalf_reason="Asked by telephone.",
        requested_by=person,
        requested_at=datetime.fromisoformat("2025-05-03T12:00:00+00:00"),
    )
    CreditRequestFactory.create(failed=True)

    for query in (
        {"status__exact": "sent"},
        {"answer__exact": "granted"},
        {"program__id__exact": program.pk},
        {"pathway__id__exact": pathway.pk},
        {"institution": "Harbour University"},
        {"was_completed__exact": 1},
        {"source__exact": "staff"},
        {"requested_at_from": "2025-05-03", "requested_at_to": "2025-05-03"},
    ):
        assert rows(registrar, MODEL, **query) == [one], query


def test_those_that_need_somebody_are_found(registrar: Client, asked: UserCreditPathway) -> None:
    now = timezone.now()
    failed = CreditRequestFactory.create(failed=True, requested_at=now - 29 * DAY)
    CreditRequestFactory.create(failed=True, requested_at=now - 31 * DAY)
    asked_again = CreditRequestFactory.create(failed=True, requested_at=now - DAY)
    CreditRequestFactory.create(
        **{name: getattr(asked_again, name) for name in ("user", "pathway", "program")},
        number=2,
        requested_at=now,
    )
    stands(message_of(asked), OutboxStatus.UNCERTAIN)

    assert rows(registrar, MODEL, needs="failed") == [failed]
    assert rows(registrar, MODEL, needs="unclear") == [asked]
    standing = overview.credit_standing(now)
    assert (standing.failed.number, standing.unclear.number) == (1, 1)


def test_the_kind_of_its_mail_is_called_the_same_everywhere() -> None:
    assert overview.CREDIT_REQUEST == notices.CREDIT_REQUEST


def test_the_list_takes_as_many_statements_for_fifty_as_for_one(registrar: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            rows(registrar, MODEL)
        return len(captured)

    CreditRequestFactory.create()
    for_one = statements()
    pathway = PathwayFactory.create()
    CreditRequestFactory.create_batch(49, pathway=pathway)

    assert statements() == for_one


# --- One request -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "mail", "action"),
    [
        ("queued", "pending", "Nothing: it is sent with the next delivery of mail."),
        ("queued", "uncertain", "Nobody knows whether the institution got it"),
        ("failed", "dead", "The portal gave up."),
        ("failed", "failed", "See that the pathway's address is right"),
        ("sent", "done", "The institution answers, if it does, by the link in its mail."),
        ("other", "done", "Nothing: the old service did not say whether it was sent."),
    ],
)
def test_says_its_state_and_what_to_do(
    registrar: Client, asked: UserCreditPathway, status: str, mail: str, action: str
) -> None:
    finished = timezone.now() if mail in ("done", "failed") else None
    OutboxMessage.objects.filter(pk=message_of(asked).pk).update(status=mail, finished_at=finished)
    UserCreditPathway.objects.filter(pk=asked.pk).update(status=status)

    told = page(registrar, url(f"{MODEL}_change", asked.pk))

    assert action in told
    assert "ada asks Masters, Harbour University" in told


def test_leads_to_its_mail_those_who_may_look(asked: UserCreditPathway) -> None:
    mail = f"/admin/core/outboxmessage/{message_of(asked).pk}/change/"
    address = url(f"{MODEL}_change", asked.pk)

    assert mail in links(member_of("Operators"), address)
    assert mail not in links(member_of("Support"), address)


def test_tells_what_happened_by_whom_and_why(
    registrar: Client, asked: UserCreditPathway, ada: User
) -> None:
    act(registrar, "withdraw", asked.pk, reason="She telephoned.")

    told = page(registrar, url(f"{MODEL}_change", asked.pk))

    story = told.partition("What happened, the newest first")[2]
    withdrawn, _, queued = story.partition("Waiting to be sent")
    clerk = User.objects.get(pk=registrar.session["_auth_user_id"])
    assert f"by {clerk.username}" in withdrawn
    assert "She telephoned." in withdrawn
    assert "by ada" in queued


def test_an_old_request_without_a_program_is_shown(registrar: Client) -> None:
    request = CreditRequestFactory.create(legacy=True)

    told = page(registrar, url(f"{MODEL}_change", request.pk))

    assert "unknown: the old service did not say" in told
    assert "Ask again for the learner…" not in told


# --- Withdrawing -------------------------------------------------------------------------------


def test_a_request_is_withdrawn_with_a_reason(registrar: Client, asked: UserCreditPathway) -> None:
    shown = words(registrar.get(url(f"{MODEL}_withdraw", asked.pk)))
    assert "opens nothing any more, at once and for good" in shown
    assert "What waits is not sent" in shown

    without = act(registrar, "withdraw", asked.pk, reason="")
    asked.refresh_from_db()
    assert "Nothing was changed." in words(without)
    assert asked.status == CreditRequestStatus.QUEUED

    done = act(registrar, "withdraw", asked.pk, reason="She telephoned.")

    assert "The request is withdrawn." in words(done)
    asked.refresh_from_db()
    assert asked.status == CreditRequestStatus.WITHDRAWN
    assert asked.shared_record is not None
    assert not asked.shared_record.is_live(timezone.now())
    last = asked.history.latest()
    assert (last.history_change_reason, last.cause) == ("She telephoned.", "admin")


def test_an_institution_that_has_the_request_is_named(
    registrar: Client, asked: UserCreditPathway
) -> None:
    sent(asked)

    shown = words(registrar.get(url(f"{MODEL}_withdraw", asked.pk)))

    assert "The institution (desk@harbour.example) gets a mail that says so." in shown


def test_what_failed_cannot_be_withdrawn(registrar: Client) -> None:
    request = CreditRequestFactory.create(failed=True)

    assert "Withdraw…" not in page(registrar, url(f"{MODEL}_change", request.pk))
    refused = act(registrar, "withdraw", request.pk, reason="Why not?")

    assert "neither with the institution nor on its way" in words(refused)
    request.refresh_from_db()
    assert request.status == CreditRequestStatus.FAILED


# --- Who may -----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_only_registrars_act_and_all_look(
    role: str, asked: UserCreditPathway, program: Program, pathway: Pathway
) -> None:
    browser = member_of(role)
    may_act = role == "Registrars"
    acts = [
        url(f"{MODEL}_ask"),
        url(f"{MODEL}_ask_for", asked.user_id, program.pk),
        url(f"{MODEL}_withdraw", asked.pk),
    ]

    assert rows(browser, MODEL) == [asked]
    shown = links(browser, url(f"{MODEL}_changelist")) | links(
        browser, url(f"{MODEL}_change", asked.pk)
    )
    assert set(acts) <= shown if may_act else not set(acts) & shown
    before = UserCreditPathway.objects.values().get()
    for address in acts:
        assert browser.get(address).status_code == (200 if may_act else 403)
        if not may_act:
            given = {"learner": "ada", "program": program.pk, "pathway": pathway.pk, "reason": "x"}
            assert browser.post(address, given).status_code == 403
    assert UserCreditPathway.objects.values().get() == before


def test_who_may_ask_and_not_look_does_neither(ada: User, program: Program) -> None:
    clerk = staff("request_credit_for_learner", "change_usercreditpathway")

    # Whoever may change may look, by Django's rule; asking alone opens nothing.
    assert staff("request_credit_for_learner").get(url(f"{MODEL}_ask")).status_code == 403
    assert clerk.get(url(f"{MODEL}_ask")).status_code == 200


def test_nothing_is_added_edited_or_deleted_by_hand(asked: UserCreditPathway) -> None:
    root = User.objects.create_superuser("root")
    browser = Client(headers={"host": "localhost"})
    browser.force_login(root)
    before = UserCreditPathway.objects.values().get()

    assert browser.get(url(f"{MODEL}_add")).status_code == 403
    for name in ("change", "delete"):
        assert browser.post(url(f"{MODEL}_{name}", asked.pk), {"post": "yes"}).status_code == 403
    assert UserCreditPathway.objects.values().get() == before


def test_a_learner_does_not_get_in(ada: User, asked: UserCreditPathway) -> None:
    browser = Client(headers={"host": "localhost"})
    browser.force_login(ada)

    for address in (url(f"{MODEL}_changelist"), url(f"{MODEL}_withdraw", asked.pk)):
        assert browser.get(address).status_code == 302
