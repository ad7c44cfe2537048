"""Links to records in the admin: who can open what; revoked with a reason, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from programs.enums import ShareEnd
from programs.models import SharedProgramRecord
from programs.services.sharing import count_view
from tests.programs.admin.desk import ROLES, member_of, page, rows, url, words
from tests.programs.factories import CreditRequestFactory, SharedRecordFactory

pytestmark = pytest.mark.django_db

MODEL = "sharedprogramrecord"


@pytest.fixture
def link() -> SharedProgramRecord:
    link: SharedProgramRecord = SharedRecordFactory.create()
    return link


def revoke(browser: Client, *links: SharedProgramRecord, **fields: Any) -> Any:
    given = {"action": "revoke", "_selected_action": [link.pk for link in links], **fields}
    return browser.post(url(f"{MODEL}_changelist"), given, follow=True)


def test_shows_how_a_link_stands_and_how_often_others_opened_it(
    registrar: Client, link: SharedProgramRecord
) -> None:
    now = timezone.now()
    for day in (0, 0, 3):
        count_view(shared_record_id=link.pk, at=now - timedelta(days=day))

    (row,) = rows(registrar, MODEL)

    assert (row.viewed, row.last_viewed) == (3, now)
    said = page(registrar, url(f"{MODEL}_change", link.pk))
    assert "State opens the record Shows the e-mail address" in said
    assert f"Last viewed {now:%-d %B %Y, %H:%M} Uuid" in said


def test_nobody_has_opened_a_new_link(registrar: Client, link: SharedProgramRecord) -> None:
    said = page(registrar, url(f"{MODEL}_change", link.pk))

    assert "Views by others 0 Last viewed - Uuid" in said


def test_says_why_a_link_is_dead(registrar: Client) -> None:
    revoked = SharedRecordFactory.create(revoked=True)
    expired = SharedRecordFactory.create(expires_at=timezone.now())

    for link, why in ((revoked, "the learner revoked it"), (expired, "its time was over")):
        assert f"State dead: {why} Shows" in page(registrar, url(f"{MODEL}_change", link.pk))
        assert f"dead: {why}" in page(registrar, url(f"{MODEL}_changelist"))


def test_finds_a_link_by_itself_its_uuid_and_its_learner(
    registrar: Client, link: SharedProgramRecord
) -> None:
    SharedRecordFactory.create()
    address = f"https://portal.example.org/records/programs/shared/{link.uuid.hex}/"

    for term in (address, str(link.uuid), link.user.username, link.user.email.upper()):
        assert rows(registrar, MODEL, q=term) == [link], term
    assert rows(registrar, MODEL, q=link.user.username[:-1]) == []


def test_a_link_is_revoked_with_a_reason_after_its_consequences_were_shown(
    registrar: Client, link: SharedProgramRecord
) -> None:
    asked = revoke(registrar, link)
    link.refresh_from_db()
    assert "sees nothing any more, from now on and for good" in asked.content.decode()
    assert link.revoked_at is None

    without = revoke(registrar, link, reason="")
    link.refresh_from_db()
    assert "This field is required" in without.content.decode()
    assert link.revoked_at is None

    done = revoke(registrar, link, reason="It was posted to a forum.")

    assert "Changed: 1" in done.content.decode()
    link.refresh_from_db()
    assert (link.end, link.is_live(timezone.now())) == (ShareEnd.STAFF, False)
    last = link.history.latest()
    assert (last.history_change_reason, last.cause) == ("It was posted to a forum.", "admin")
    assert last.history_user_id == int(registrar.session["_auth_user_id"])


def test_the_link_of_a_request_dies_and_the_request_stays(registrar: Client) -> None:
    request: Any = CreditRequestFactory.create()

    revoke(registrar, request.shared_record, reason="Sent to the wrong address.")

    request.refresh_from_db()
    assert (request.status, request.shared_record.end) == ("sent", ShareEnd.STAFF)


def test_links_of_one_record_are_told_apart_before_they_are_revoked(registrar: Client) -> None:
    asked: Any = CreditRequestFactory.create()
    own = SharedRecordFactory.create(user=asked.user, program=asked.program)

    said = words(revoke(registrar, own, asked.shared_record))

    of_learner = f"{own.user}: {own.program}, made for"
    assert f"{of_learner} anyone whom the learner gives it" in said
    assert f"{of_learner} the institution that was asked for credit" in said


def test_a_dead_link_stays_as_it_died(registrar: Client) -> None:
    revoked = SharedRecordFactory.create(revoked=True)
    expired = SharedRecordFactory.create(expires_at=timezone.now())

    done = revoke(registrar, revoked, expired, reason="Again.")

    for link in (revoked, expired):
        link.refresh_from_db()
    assert "Changed: 0" in done.content.decode()
    assert (revoked.end, expired.end) == (ShareEnd.REVOKED, "")


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_added_edited_or_deleted_by_hand(role: str, link: SharedProgramRecord) -> None:
    browser = member_of(role)
    before = SharedProgramRecord.objects.values().get()

    assert browser.get(url(f"{MODEL}_change", link.pk)).status_code == 200
    posts = [url(f"{MODEL}_{name}", link.pk) for name in ("change", "delete")]
    statuses = [browser.post(address, {"post": "yes"}).status_code for address in posts]
    assert [*statuses, browser.get(url(f"{MODEL}_add")).status_code] == [403, 403, 403]
    if role != "Registrars":
        revoke(browser, link, reason="May I?")

    assert SharedProgramRecord.objects.values().get() == before


def test_the_list_takes_as_many_statements_for_fifty_as_for_one(registrar: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            rows(registrar, MODEL)
        return len(captured)

    SharedRecordFactory.create()
    for_one = statements()
    SharedRecordFactory.create_batch(49)

    assert statements() == for_one
