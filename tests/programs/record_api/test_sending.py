"""Records are sent to institutions through the old path."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from credentials_portal.core.models.outbox import OutboxMessage
from programs.enums import CreditRequestSource, CreditRequestStatus
from programs.models import Pathway, Program, SharedProgramRecord, UserCreditPathway
from tests.programs.factories import CreditRequestFactory, pathway_of, program_requiring
from tests.programs.record_api.conftest import UNKNOWN_HEX, Caller, act_path, post, record_path

CREDIT_REQUEST = "programs.credit_request"

PORTALS_WORDS = (
    "I agree that Credentials Portal sends my program record, with my name, my username"
    " and my e-mail address, to Institution of Master of Logistics."
)


def send(client: APIClient, pathway: Pathway, username: str = "ada", **more: Any) -> Any:
    body = {"username": username, "pathway_id": pathway.pk, **more}
    return post(client, act_path(pathway.programs.get(), "send"), body)


def queued() -> int:
    return OutboxMessage.objects.filter(kind=CREDIT_REQUEST).count()


def nothing_was_sent() -> bool:
    return not (
        UserCreditPathway.objects.exists()
        or SharedProgramRecord.objects.exists()
        or OutboxMessage.objects.exists()
    )


def test_a_record_is_sent_with_an_empty_answer(
    ada: User, as_ada: APIClient, program: Program, pathway: Pathway
) -> None:
    response = send(as_ada, pathway)

    assert (response.status_code, response.content) == (200, b"")
    [request] = UserCreditPathway.objects.all()
    assert (request.user, request.pathway, request.program) == (ada, pathway, program)
    assert (request.source, request.requested_by) == (CreditRequestSource.API, ada)
    assert (request.status, request.on_behalf_reason) == (CreditRequestStatus.QUEUED, "")
    assert queued() == 1
    told = as_ada.get(record_path(program)).json()["record"]
    assert [offered["status"] for offered in told["pathways"]] == ["sent"]
    assert told["shared_program_record_uuid"] is None


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("I agree to all of it.", "I agree to all of it."),
        ("", PORTALS_WORDS),
    ],
)
def test_what_the_learner_agreed_to_is_kept(
    as_ada: APIClient, pathway: Pathway, words: str, kept: str
) -> None:
    pathway.consent_text = words
    pathway.save()

    send(as_ada, pathway)

    assert UserCreditPathway.objects.get().consent_text == kept


def test_the_number_may_come_as_a_text(as_ada: APIClient, pathway: Pathway) -> None:
    path = act_path(pathway.programs.get(), "send")

    response = post(as_ada, path, {"username": "ada", "pathway_id": str(pathway.pk)})

    assert response.status_code == 200


def test_the_same_again_is_answered_alike_and_sent_once(
    as_ada: APIClient, pathway: Pathway
) -> None:
    for _ in range(10):
        response = send(as_ada, pathway)
        assert (response.status_code, response.content) == (200, b"")

    assert UserCreditPathway.objects.count() == 1
    assert queued() == 1


# --- What cannot be sent -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields", [{"retired": True}, {"unpublished": True}, {"industry": True}, {"email": ""}]
)
def test_a_pathway_that_takes_no_requests_is_not_there(
    as_ada: APIClient, program: Program, fields: dict[str, Any]
) -> None:
    response = send(as_ada, pathway_of(program, **fields))

    assert response.status_code == 404
    assert sorted(response.json()) == ["code", "error"]
    assert nothing_was_sent()


def test_a_pathway_of_another_program_is_not_there(
    as_ada: APIClient, program: Program, pathway: Pathway
) -> None:
    other = program_requiring(core=[])
    body = {"username": "ada", "pathway_id": pathway.pk}

    assert post(as_ada, act_path(other, "send"), body).status_code == 404
    body["pathway_id"] = 2**62
    assert post(as_ada, act_path(program, "send"), body).status_code == 404
    assert nothing_was_sent()


def test_a_program_that_is_not_there_takes_nothing(as_ada: APIClient, pathway: Pathway) -> None:
    body = {"username": "ada", "pathway_id": pathway.pk}

    response = post(as_ada, f"/records/programs/{UNKNOWN_HEX}/send", body)

    assert (response.status_code, response.json()) == (404, {"error": "There is no such program."})


def test_an_incomplete_record_is_refused_where_only_complete_ones_are_taken(
    as_ada: APIClient, program: Program
) -> None:
    response = send(as_ada, pathway_of(program, requires_completion=True))

    assert response.status_code == 409
    assert response.json() == {
        "error": "The institution takes completed programs only.",
        "code": "incomplete_record",
    }
    assert nothing_was_sent()


@pytest.mark.parametrize(
    "pathway_id", ["absent", None, "", "seven", 0, -1, 1.5, True, 2**63, [1], {"id": 1}]
)
def test_a_number_that_cannot_be_read_is_refused(
    as_ada: APIClient, program: Program, pathway_id: Any
) -> None:
    body = {"username": "ada"} | ({} if pathway_id == "absent" else {"pathway_id": pathway_id})

    response = post(as_ada, act_path(program, "send"), body)

    assert response.status_code == 400
    assert response.json()["error"] == "Some values are not valid."
    assert list(response.json()["fields"]) == ["pathway_id"]


def test_the_path_has_no_slash_at_its_end(as_ada: APIClient, pathway: Pathway) -> None:
    body = {"username": "ada", "pathway_id": pathway.pk}

    response = post(as_ada, act_path(pathway.programs.get(), "send/"), body)

    assert response.status_code == 404
    assert nothing_was_sent()


# --- How often -------------------------------------------------------------------------------


def test_an_institution_with_a_pause_says_when_to_ask_again(
    ada: User, as_ada: APIClient, program: Program
) -> None:
    pathway = pathway_of(program, cooldown_days=7)
    send(as_ada, pathway)
    asked_at = (timezone.now() - timedelta(days=1)).replace(microsecond=1)
    UserCreditPathway.objects.update(requested_at=asked_at)

    response = send(as_ada, pathway)

    assert response.status_code == 429
    answer = response.json()
    assert (answer["error"], answer["code"]) == ("Too Many Requests", "cooldown")
    assert list(answer) == ["error", "code", "next_allowed_at"]
    expected = asked_at.replace(microsecond=0) + timedelta(days=7, seconds=1)
    assert answer["next_allowed_at"] == expected.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert 6 * 86_400 - 60 < int(response["Retry-After"]) <= 6 * 86_400
    assert UserCreditPathway.objects.count() == 1
    assert queued() == 1


def test_a_learner_asks_so_often_in_a_month(
    ada: User, as_ada: APIClient, program: Program, settings: Settings
) -> None:
    settings.CREDIT_REQUESTS_PER_MONTH = 2
    for number in range(2):
        CreditRequestFactory.create(
            user=ada, program=program, number=number + 1, requested_at=timezone.now()
        )

    response = send(as_ada, pathway_of(program))

    assert (response.status_code, response.json()["code"]) == (429, "quota")
    assert queued() == 0


def test_the_sixteenth_in_a_minute_is_refused_and_links_count_apart(
    as_ada: APIClient, as_caller: Caller, pathway: Pathway
) -> None:
    for client in (as_ada, as_caller("desk")):
        assert {send(client, pathway).status_code for _ in range(15)} == {200}

        response = send(client, pathway)

        assert (response.status_code, response.json()) == (429, {"error": "Too Many Requests"})
        assert 0 < int(response["Retry-After"]) <= 60
        shared = post(client, act_path(pathway.programs.get(), "share"), {"username": "ada"})
        assert shared.status_code in (200, 201)


def test_the_portals_pages_count_with_it(as_ada: APIClient, pathway: Pathway) -> None:
    for _ in range(15):
        send(as_ada, pathway)
        post(as_ada, act_path(pathway.programs.get(), "share"), {"username": "ada"})
    program_uuid = pathway.programs.get().uuid

    pages = [as_ada.post(f"/programs/{program_uuid}/{page}/") for page in ("credit", "share")]

    assert [page.status_code for page in pages] == [429, 429]
    assert all(page["Content-Type"].startswith("text/html") for page in pages)
    assert as_ada.get(f"/programs/{program_uuid}/share/").status_code == 200


# --- Who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("caller", ["bob", "clerk", "viewer"])
def test_nobody_else_sends_anothers_record(
    as_caller: Caller, pathway: Pathway, caller: str
) -> None:
    response = send(as_caller(caller), pathway)

    assert (response.status_code, response.json()) == (403, {"error": "Permission denied"})
    assert nothing_was_sent()


def test_who_is_not_signed_in_is_led_there(pathway: Pathway) -> None:
    path = act_path(pathway.programs.get(), "send")

    response = send(APIClient(), pathway)

    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={path}")
    assert nothing_was_sent()


@pytest.mark.parametrize(
    ("told", "kept"),
    [({}, "Asked through the API."), ({"reason": " She cannot sign in. "}, "She cannot sign in.")],
)
@pytest.mark.parametrize("caller", ["desk", "service"])
def test_staff_send_for_a_learner_and_it_is_kept_why(
    as_caller: Caller,
    ada: User,
    pathway: Pathway,
    caller: str,
    told: dict[str, str],
    kept: str,
) -> None:
    response = send(as_caller(caller), pathway, **told)

    assert (response.status_code, response.content) == (200, b"")
    request = UserCreditPathway.objects.get()
    assert (request.user, request.source) == (ada, CreditRequestSource.STAFF)
    assert request.requested_by
    assert request.requested_by.username == {"desk": "desk", "service": "lms_worker"}[caller]
    assert (request.on_behalf_reason, request.consent_text) == (kept, "")
    [change] = request.history.all()
    assert (change.history_user, change.history_change_reason, change.cause) == (
        request.requested_by,
        kept,
        "api:send_record",
    )


@pytest.mark.parametrize("reason", ["", "   ", None, 7, "x" * 501, "\ud800", "\0"])
def test_a_reason_that_cannot_be_kept_is_refused(
    as_caller: Caller, pathway: Pathway, reason: Any
) -> None:
    response = send(as_caller("desk"), pathway, reason=reason)

    assert response.status_code == 400
    assert list(response.json()["fields"]) == ["reason"]
    assert nothing_was_sent()


def test_staff_who_send_their_own_record_ask_as_learners(
    as_caller: Caller, pathway: Pathway
) -> None:
    assert send(as_caller("desk"), pathway, username="desk").status_code == 200

    request = UserCreditPathway.objects.get()
    assert (request.source, request.on_behalf_reason) == (CreditRequestSource.API, "")


def test_a_learner_whom_nobody_knows_does_not_exist(as_caller: Caller, pathway: Pathway) -> None:
    response = send(as_caller("desk"), pathway, username="nobody")

    assert (response.status_code, response.json()) == (404, {"error": "User does not exist"})
