"""Links to a record: made, found again, revoked, replaced, changed, and their views counted."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError
from pytest_django import DjangoAssertNumQueries

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.errors import DomainError, GoneError, NotFoundError
from credentials_portal.core.history import Attribution, rows_without_true_history
from programs.enums import ShareEnd
from programs.models import Program, SharedProgramRecord, SharedRecordViewCount
from programs.selectors.sharing import (
    links_of_learner,
    record_csv_link,
    record_link,
    shared_record,
)
from programs.services.sharing import (
    ExpiryPassedError,
    InstitutionsLinkError,
    change_share,
    count_view,
    revoke_share,
    revoke_shares,
    rotate_share,
    share_record,
)
from tests.programs.factories import (
    AT,
    CreditRequestFactory,
    LearnerFactory,
    ProgramFactory,
    SharedRecordFactory,
)
from tests.programs.records.conftest import DAY, INSTANT, TOMORROW

pytestmark = pytest.mark.django_db


def by_at(at: datetime, actor: User | None = None) -> Attribution:
    return Attribution(at=at, actor=actor, reason="for a test", cause="test")


BY = by_at(AT)


@pytest.fixture
def shared(learner: User, program: Program) -> SharedProgramRecord:
    """A learner's own link until tomorrow that shows the address."""
    made = share_record(
        user=learner, program=program, expires_at=TOMORROW, show_email=True, by=by_at(AT - DAY)
    )
    return made.link


@pytest.fixture
def of_request(learner: User, program: Program) -> SharedProgramRecord:
    link = CreditRequestFactory.create(user=learner, program=program).shared_record
    assert link
    return link


def history_of(link: SharedProgramRecord) -> list[tuple[str, str, datetime | None, str]]:
    """Of each change: how, why it died if it did, until when it lives, and who did it."""
    versions = link.history.order_by("history_id")
    return [
        (row.history_type, row.end, row.expires_at, row.history_user and row.history_user.username)
        for row in versions
    ]


# --- Making --------------------------------------------------------------------------------------


def test_a_link_hides_address_and_username_and_never_ends_unless_told(
    learner: User, program: Program
) -> None:
    link, is_new = share_record(user=learner, program=program, by=by_at(AT, learner))

    link.refresh_from_db()
    assert is_new
    assert (link.user, link.program, link.kind, link.created) == (learner, program, "link", AT)
    assert (link.expires_at, link.show_email, link.show_username) == (None, False, False)
    assert history_of(link) == [("+", "", None, learner.username)]


def test_sharing_again_returns_the_live_link_as_it_is(
    learner: User, program: Program, shared: SharedProgramRecord
) -> None:
    again = share_record(user=learner, program=program, show_username=True, by=BY)

    assert again == (shared, False)
    shared.refresh_from_db()
    assert (shared.expires_at, shared.show_email, shared.show_username) == (TOMORROW, True, False)
    assert len(history_of(shared)) == 1


def test_links_to_other_programs_and_of_other_learners_are_others(
    learner: User, program: Program, shared: SharedProgramRecord
) -> None:
    links = [
        share_record(user=learner, program=ProgramFactory.create(), by=BY),
        share_record(user=LearnerFactory.create(), program=program, by=BY),
    ]

    assert all(made.is_new for made in links)
    assert len({shared.uuid, *(made.link.uuid for made in links)}) == 3


def test_an_institutions_link_is_not_the_learners_own(
    learner: User, program: Program, of_request: SharedProgramRecord
) -> None:
    link, is_new = share_record(user=learner, program=program, by=BY)

    assert (is_new, link.kind) == (True, "link")
    of_request.refresh_from_db()
    assert of_request.is_live(AT)


def test_an_expired_link_is_ended_and_another_made(
    learner: User, program: Program, shared: SharedProgramRecord
) -> None:
    before = share_record(user=learner, program=program, by=by_at(TOMORROW - INSTANT))
    then = share_record(user=learner, program=program, by=by_at(TOMORROW))

    shared.refresh_from_db()
    assert (before.link, before.is_new) == (shared, False)
    assert then.is_new
    assert then.link.uuid != shared.uuid
    assert (then.link.expires_at, then.link.show_email) == (None, False)
    assert (shared.end, shared.revoked_at) == (ShareEnd.EXPIRED, TOMORROW)


def test_a_revoked_link_stays_dead_when_the_record_is_shared_again(
    learner: User, program: Program, shared: SharedProgramRecord
) -> None:
    revoke_share(link_uuid=shared.uuid, by=BY)

    again = share_record(user=learner, program=program, by=BY)

    shared.refresh_from_db()
    assert again.is_new
    assert again.link.uuid != shared.uuid
    assert (shared.is_live(AT), shared.end) == (False, ShareEnd.REVOKED)


@pytest.mark.parametrize("expires_at", [AT - DAY, AT])
def test_a_link_cannot_end_before_it_begins(
    learner: User, program: Program, expires_at: datetime
) -> None:
    with pytest.raises(ExpiryPassedError):
        share_record(user=learner, program=program, expires_at=expires_at, by=BY)

    assert not SharedProgramRecord.objects.exists()


def test_the_record_of_who_has_left_is_not_shared(learner: User, program: Program) -> None:
    retire_user(user=learner, at=AT, actor=None, reason="asked")

    with pytest.raises(NotFoundError):
        share_record(user=learner, program=program, by=BY)

    assert not SharedProgramRecord.objects.exists()


def test_the_database_holds_one_live_link_of_a_learner_to_a_program(
    shared: SharedProgramRecord,
) -> None:
    with pytest.raises(IntegrityError, match="shared_program_record_link_once"):
        SharedRecordFactory.create(user=shared.user, program=shared.program)


# --- Ending --------------------------------------------------------------------------------------


def test_revoking_kills_a_link_for_good_and_once(
    learner: User, shared: SharedProgramRecord
) -> None:
    revoke_share(link_uuid=shared.uuid, by=by_at(AT, learner))
    revoke_share(link_uuid=shared.uuid, end=ShareEnd.STAFF, by=by_at(AT + DAY))

    shared.refresh_from_db()
    assert (shared.revoked_at, shared.end) == (AT, ShareEnd.REVOKED)
    assert history_of(shared) == [
        ("+", "", TOMORROW, None),
        ("~", "revoked", TOMORROW, learner.username),
    ]


def test_a_link_whose_time_is_over_was_ended_by_nobody(shared: SharedProgramRecord) -> None:
    revoke_share(link_uuid=shared.uuid, by=by_at(TOMORROW))
    assert revoke_shares(shared_record_ids=[shared.pk], by=by_at(TOMORROW)) == 0
    assert [version[:3] for version in history_of(shared)] == [("+", "", TOMORROW)]

    revoke_share(link_uuid=shared.uuid, by=by_at(TOMORROW - INSTANT))

    shared.refresh_from_db()
    assert (shared.revoked_at, shared.end) == (TOMORROW - INSTANT, ShareEnd.REVOKED)


@pytest.mark.parametrize("number", [1, 50])
def test_any_number_of_links_is_revoked_in_one_statement(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    links = SharedRecordFactory.create_batch(number)
    spared = SharedRecordFactory.create()

    with django_assert_num_queries(3):  # two of them begin and end the savepoint
        killed = revoke_shares(shared_record_ids=[link.pk for link in links], by=BY)

    assert killed == number
    assert set(SharedProgramRecord.objects.values_list("end", "revoked_at")) == {
        (ShareEnd.STAFF, AT),
        ("", None),
    }
    spared.refresh_from_db()
    assert spared.is_live(AT)
    assert not rows_without_true_history(SharedProgramRecord)


def test_an_institutions_link_dies_alone(
    shared: SharedProgramRecord, of_request: SharedProgramRecord
) -> None:
    revoke_share(link_uuid=of_request.uuid, end=ShareEnd.WITHDRAWN, by=BY)

    for link in (shared, of_request):
        link.refresh_from_db()
    assert (shared.is_live(AT), of_request.is_live(AT)) == (True, False)


def test_rotating_kills_the_old_link_and_keeps_what_was_chosen(
    learner: User, shared: SharedProgramRecord
) -> None:
    new = rotate_share(link_uuid=shared.uuid, by=by_at(AT, learner))

    shared.refresh_from_db()
    assert (shared.revoked_at, shared.end) == (AT, ShareEnd.ROTATED)
    assert (new.user, new.program, new.kind) == (shared.user, shared.program, shared.kind)
    assert (new.expires_at, new.show_email, new.show_username) == (TOMORROW, True, False)
    assert new.uuid != shared.uuid
    assert history_of(new) == [("+", "", TOMORROW, learner.username)]
    assert not rows_without_true_history(SharedProgramRecord)


# --- Changing ------------------------------------------------------------------------------------


def change(link: SharedProgramRecord, at: datetime = AT, **choices: Any) -> SharedProgramRecord:
    chosen: dict[str, Any] = {"expires_at": TOMORROW, "show_email": True, "show_username": False}
    return change_share(link_uuid=link.uuid, by=by_at(at), **{**chosen, **choices})


def test_a_learner_changes_when_a_link_ends_and_what_it_shows(
    shared: SharedProgramRecord,
) -> None:
    changed = change(shared, expires_at=None, show_email=False, show_username=True)

    shared.refresh_from_db()
    assert changed == shared
    assert (shared.expires_at, shared.show_email, shared.show_username) == (None, False, True)
    assert [version[:3] for version in history_of(shared)] == [("+", "", TOMORROW), ("~", "", None)]


def test_changing_nothing_leaves_no_trace(shared: SharedProgramRecord) -> None:
    change(shared)

    assert len(history_of(shared)) == 1


def test_a_link_cannot_be_changed_to_end_in_the_past(shared: SharedProgramRecord) -> None:
    with pytest.raises(ExpiryPassedError):
        change(shared, expires_at=AT)

    shared.refresh_from_db()
    assert shared.expires_at == TOMORROW


# --- What is refused -----------------------------------------------------------------------------

Act = Callable[[SharedProgramRecord, datetime], object]

ACTS: dict[str, Act] = {
    "rotate": lambda link, at: rotate_share(link_uuid=link.uuid, by=by_at(at)),
    "change": lambda link, at: change(link, at, expires_at=None),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("ended", ["revoked", "expired"])
def test_a_dead_link_is_neither_replaced_nor_changed(
    shared: SharedProgramRecord, act: str, ended: str
) -> None:
    if ended == "revoked":
        revoke_share(link_uuid=shared.uuid, by=BY)
    before = history_of(shared)

    with pytest.raises(GoneError):
        ACTS[act](shared, AT if ended == "revoked" else TOMORROW)

    assert history_of(shared) == before
    assert SharedProgramRecord.objects.count() == 1


@pytest.mark.parametrize("act", ACTS)
def test_an_institutions_link_is_neither_replaced_nor_changed(
    of_request: SharedProgramRecord, act: str
) -> None:
    with pytest.raises(InstitutionsLinkError):
        ACTS[act](of_request, AT)

    assert SharedProgramRecord.objects.count() == 1


@pytest.mark.parametrize("act", ACTS)
def test_a_link_of_who_has_left_is_neither_replaced_nor_changed(
    learner: User, shared: SharedProgramRecord, act: str
) -> None:
    retire_user(user=learner, at=AT, actor=None, reason="asked")

    with pytest.raises(NotFoundError):
        ACTS[act](shared, AT)

    assert SharedProgramRecord.objects.count() == 1


def test_an_unknown_link_is_not_found() -> None:
    unknown = SharedRecordFactory.build()

    for act in (*ACTS.values(), lambda link, _at: revoke_share(link_uuid=link.uuid, by=BY)):
        with pytest.raises(DomainError) as refusal:
            act(unknown, AT)
        assert refusal.value.code == "not_found"
    assert shared_record(unknown.uuid) is None


# --- Reading -------------------------------------------------------------------------------------


def test_views_are_counted_by_day_and_nothing_else_is_kept(shared: SharedProgramRecord) -> None:
    midnight = datetime(2025, 6, 2, tzinfo=UTC)
    for at in (AT, midnight - INSTANT, midnight - timedelta(hours=1), midnight):
        count_view(shared_record_id=shared.pk, at=at)

    days = SharedRecordViewCount.objects.order_by("day")

    assert [(row.day, row.views, row.last_viewed_at) for row in days] == [
        (date(2025, 6, 1), 3, midnight - INSTANT),
        (date(2025, 6, 2), 1, midnight),
    ]


def test_a_link_is_found_with_its_learner_and_program_in_one_statement(
    shared: SharedProgramRecord, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        found = shared_record(shared.uuid)
        assert found
        assert (found.user.username, found.program.title) == (
            shared.user.username,
            shared.program.title,
        )


def test_a_learners_links_are_told_newest_first_with_their_views(
    learner: User,
    program: Program,
    shared: SharedProgramRecord,
    of_request: SharedProgramRecord,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    other = share_record(user=learner, program=ProgramFactory.create(), by=BY).link
    share_record(user=LearnerFactory.create(), program=program, by=BY)
    for at in (AT, AT, TOMORROW):
        count_view(shared_record_id=of_request.pk, at=at)

    with django_assert_num_queries(1):
        links = links_of_learner(user_id=learner.pk)
        told = [
            (each.link, each.views, each.last_viewed_at, each.pathway and each.pathway.name)
            for each in links
        ]

    assert told == [
        (of_request, 3, TOMORROW, of_request.credit_request.pathway.name),
        (other, 0, None, None),
        (shared, 0, None, None),
    ]
    of_program = links_of_learner(user_id=learner.pk, program_id=program.pk)
    assert [each.link for each in of_program] == [of_request, shared]


def test_addresses_have_the_form_of_the_older_service(settings: Any) -> None:
    settings.PORTAL_BASE_URL = "https://portal.example.org"
    link = SharedRecordFactory.build(uuid=uuid4())

    addresses = [record_link(link), record_csv_link(link)]

    base = f"https://portal.example.org/records/programs/shared/{link.uuid.hex}"
    assert addresses == [f"{base}/", f"{base}/csv"]
