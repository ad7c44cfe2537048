import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from credentials_portal.clients.http import Answer, Refused, Unavailable
from credentials_portal.clients.lms import Lms, _client, lms
from credentials_portal.devlms import StandInLms

CUSTOMER = UUID("11111111-2222-3333-4444-555555555555")
AT = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def remote() -> Iterator[StandInLms]:
    with StandInLms() as standing_in:
        yield standing_in


Connect = Callable[..., Lms]


@pytest.fixture
def connect(remote: StandInLms) -> Iterator[Connect]:
    with ExitStack() as stack:

        def connected(
            *, url: str = remote.url, timeout_seconds: float = 5, secret: str = ""
        ) -> Lms:
            client = Lms(
                url,
                remote.client_id,
                secret or remote.client_secret,
                timeout_seconds=timeout_seconds,
            )
            stack.callback(client.close)
            return client

        yield connected


def paths(remote: StandInLms) -> list[str]:
    return [call.path.rstrip("/").rpartition("/")[2] for call in remote.calls]


# --- What is asked ------------------------------------------------------------------------------


def test_unlinks_and_always_says_whether_learners_may_come_back(
    connect: Connect, remote: StandInLms
) -> None:
    result = connect().unlink_learners(CUSTOMER, ["a@example.com"], is_relinkable=True)

    assert result == Answer(200, {})
    call = remote.calls[-1]
    assert call.path == f"/enterprise/api/v1/enterprise-customer/{CUSTOMER}/unlink_users/"
    assert call.body == {"user_emails": ["a@example.com"], "is_relinkable": True}


def test_expires_enrollments_of_licenses(connect: Connect, remote: StandInLms) -> None:
    license_uuid = uuid4()

    results = [
        connect().expire_enrollments([license_uuid], ignore_modified_after=since)
        for since in (AT, None)
    ]

    assert results == [Answer(200), Answer(200)]
    assert [call.body for call in remote.calls_to("bulk_licensed_enrollments_expiration/")] == [
        {
            "expired_license_uuids": [str(license_uuid)],
            "ignore_enrollments_modified_after": "2025-06-01T12:00:00+00:00",
        },
        {"expired_license_uuids": [str(license_uuid)], "ignore_enrollments_modified_after": None},
    ]


def test_links_fifty_learners_a_call(connect: Connect, remote: StandInLms) -> None:
    emails = [f"learner{number}@example.com" for number in range(101)]

    result = connect().link_learners(CUSTOMER, emails)

    assert isinstance(result, Answer)
    assert [len(call.body) for call in remote.calls_to("pending-enterprise-learner")] == [50, 50, 1]
    assert remote.linked[str(CUSTOMER)] == set(emails)


def test_links_no_further_than_the_first_failure(connect: Connect, remote: StandInLms) -> None:
    remote.fail(500, path="pending-enterprise-learner", every=2)

    result = connect().link_learners(CUSTOMER, [f"a{n}@example.com" for n in range(150)])

    assert result == Unavailable("http_500", 500)
    assert len(remote.calls_to("pending-enterprise-learner")) == 2


def test_revokes_a_learners_enrollments(connect: Connect, remote: StandInLms) -> None:
    assert connect().revoke_enrollments(CUSTOMER, 7) == Answer(204)
    assert remote.revoked == {(str(CUSTOMER), 7)}


def test_reads_a_customer_and_all_pages_of_its_administrators(
    connect: Connect, remote: StandInLms
) -> None:
    admins = [f"admin{number}@example.com" for number in range(5)]
    remote.administrators[str(CUSTOMER)] = admins
    client = connect()

    customer, administrators = client.customer(CUSTOMER), client.administrators(CUSTOMER)

    assert isinstance(customer, Answer)
    assert customer.body["slug"] == "customer-11111111"
    assert administrators == Answer(200, [{"user": {"email": email}} for email in admins])


# --- The token ----------------------------------------------------------------------------------


def test_keeps_its_token(connect: Connect, remote: StandInLms) -> None:
    client = connect()

    for _ in range(3):
        client.customer(CUSTOMER)

    assert remote.issued_tokens == 1
    assert remote.calls[0].body == {
        "client_id": "portal",
        "client_secret": "portal-secret",
        "grant_type": "client_credentials",
        "token_type": "jwt",
    }


def test_renews_its_token_shortly_before_it_ends(connect: Connect, remote: StandInLms) -> None:
    remote.token_seconds = 30
    client = connect()

    client.customer(CUSTOMER)
    client.customer(CUSTOMER)

    assert remote.issued_tokens == 2


def test_renews_once_a_token_that_is_not_known_any_more(
    connect: Connect, remote: StandInLms
) -> None:
    client = connect()
    client.customer(CUSTOMER)
    remote.tokens.clear()

    result = client.customer(CUSTOMER)

    assert isinstance(result, Answer)
    assert remote.issued_tokens == 2


def test_gives_up_when_the_new_token_is_not_taken_either(
    connect: Connect, remote: StandInLms
) -> None:
    remote.fail(401, path="enterprise-customer")

    result = connect().customer(CUSTOMER)

    assert result == Unavailable("http_401", 401)
    assert remote.issued_tokens == 2
    assert len(remote.calls_to("enterprise-customer")) == 2


def test_wrong_credentials_are_no_fault_of_what_was_to_be_sent(
    connect: Connect, remote: StandInLms
) -> None:
    result = connect(secret="wrong").unlink_learners(CUSTOMER, ["a@b.de"], is_relinkable=True)

    assert result == Unavailable("token.http_401", 401)
    assert paths(remote) == ["access_token"]


# --- What may come of a call ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 401, 403, 429])
def test_what_may_pass_is_worth_another_try(
    connect: Connect, remote: StandInLms, status: int
) -> None:
    remote.fail(status, path="license_revoke")

    assert connect().revoke_enrollments(CUSTOMER, 7) == Unavailable(f"http_{status}", status)


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_what_the_lms_refuses_stays_refused(
    connect: Connect, remote: StandInLms, status: int
) -> None:
    remote.fail(status, path="license_revoke")

    result = connect().revoke_enrollments(CUSTOMER, 7)

    assert result == Refused(status)
    assert isinstance(result, Refused)
    assert result.reason == f"http_{status}"


def test_says_when_to_ask_again(connect: Connect, remote: StandInLms) -> None:
    remote.fail(503, path="license_revoke", retry_after=90)

    result = connect().revoke_enrollments(CUSTOMER, 7)

    assert result == Unavailable("http_503", 503, timedelta(seconds=90))


def test_a_lost_answer_leaves_open_whether_it_was_done(
    connect: Connect, remote: StandInLms
) -> None:
    remote.fail(0, path="unlink_users", after_work=True)

    result = connect().unlink_learners(CUSTOMER, ["a@example.com"], is_relinkable=True)

    assert result == Unavailable("lost.RemoteProtocolError")
    assert remote.unlinked[str(CUSTOMER)] == {"a@example.com"}


def test_waits_no_longer_than_it_may(connect: Connect, remote: StandInLms) -> None:
    client = connect(timeout_seconds=0.1)
    client.customer(CUSTOMER)
    remote.delay_seconds = 0.5

    assert client.customer(CUSTOMER) == Unavailable("lost.ReadTimeout")


def test_nobody_there_raises_nothing(connect: Connect) -> None:
    nowhere = connect(url="http://127.0.0.1:1")

    assert nowhere.customer(CUSTOMER) == Unavailable("token.lost.ConnectError")


def test_an_address_that_is_none_raises_nothing(connect: Connect) -> None:
    nowhere = connect(url="ftp://127.0.0.1")

    assert nowhere.customer(CUSTOMER) == Unavailable("token.lost.UnsupportedProtocol")


def test_names_nobody_in_its_logs(connect: Connect, remote: StandInLms, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    remote.fail(500, path="unlink_users", times=1)
    client = connect()

    client.unlink_learners(CUSTOMER, ["anna@example.com"], is_relinkable=True)
    client.unlink_learners(CUSTOMER, ["anna@example.com"], is_relinkable=True)

    ours = [record for record in caplog.records if record.name == "credentials_portal.clients.http"]
    assert [(record.levelname, vars(record)["reason"]) for record in ours] == [
        ("DEBUG", ""),
        ("WARNING", "http_500"),
        ("DEBUG", ""),
    ]
    assert "anna" not in caplog.text
    assert "portal-secret" not in caplog.text


# --- Which LMS ------------------------------------------------------------------------------------


def test_there_may_be_no_lms(settings: Any) -> None:
    settings.LMS_BASE_URL = ""

    assert lms() is None


def test_the_settings_name_the_lms(settings: Any, remote: StandInLms) -> None:
    settings.LMS_BASE_URL = f"{remote.url}/"
    settings.LMS_CLIENT_ID, settings.LMS_CLIENT_SECRET = remote.client_id, remote.client_secret

    client = lms()

    assert client is not None
    assert client is lms()
    assert isinstance(client.customer(CUSTOMER), Answer)
    client.close()
    _client.cache_clear()
