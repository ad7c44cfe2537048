"""Two and more at once, on connections of their own: one live link, and no view lost."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import rows_without_true_history
from programs.models import Program, SharedProgramRecord, SharedRecordViewCount
from programs.services.sharing import (
    change_share,
    count_view,
    revoke_share,
    rotate_share,
    share_record,
)
from tests.core.outbox.test_races import at_once
from tests.programs.factories import AT, BY, LearnerFactory, ProgramFactory, SharedRecordFactory
from tests.programs.records.conftest import DAY, TOMORROW

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 100 if os.environ.get("FULL") else 8

Work = Callable[[], object]


@pytest.fixture
def learner() -> User:
    return LearnerFactory.create()


def outcome_of(work: Work) -> Work:
    """What it returns, or the code of the refusal."""

    def told() -> object:
        try:
            return work()
        except DomainError as refusal:
            return refusal.code

    return told


def sharing(learner: User, program: Program) -> Work:
    return outcome_of(lambda: share_record(user=learner, program=program, by=BY))


def rotating(link: SharedProgramRecord) -> Work:
    return outcome_of(lambda: rotate_share(link_uuid=link.uuid, by=BY))


def revoking(link: SharedProgramRecord) -> Work:
    return outcome_of(lambda: revoke_share(link_uuid=link.uuid, by=BY))


def changing(link: SharedProgramRecord) -> Work:
    return outcome_of(
        lambda: change_share(
            link_uuid=link.uuid,
            expires_at=TOMORROW,
            show_email=True,
            show_username=True,
            by=BY,
        )
    )


def live_links(program: Program) -> list[SharedProgramRecord]:
    return list(SharedProgramRecord.objects.live(AT).filter(program=program))


def test_five_who_share_at_once_get_one_link(learner: User) -> None:
    for _round in range(ROUNDS):
        program = ProgramFactory.create()

        outcomes: list[Any] = at_once(*[sharing(learner, program)] * 5)

        [link] = SharedProgramRecord.objects.filter(program=program)
        assert [link for link, _is_new in outcomes] == [link] * 5
        assert sorted(is_new for _link, is_new in outcomes) == [False] * 4 + [True]
        assert link.history.count() == 1


def test_an_expired_link_is_replaced_once(learner: User) -> None:
    for _round in range(ROUNDS):
        program = ProgramFactory.create()
        expired = SharedRecordFactory.create(user=learner, program=program, expires_at=AT - DAY)

        at_once(*[sharing(learner, program)] * 4)

        [link] = live_links(program)
        assert link != expired
        assert SharedProgramRecord.objects.filter(program=program).count() == 2


def test_a_link_that_is_revoked_while_it_is_replaced_is_dead_whoever_was_first(
    learner: User,
) -> None:
    for _round in range(ROUNDS):
        program = ProgramFactory.create()
        link = share_record(user=learner, program=program, by=BY).link

        _nothing, new = at_once(revoking(link), rotating(link))

        link.refresh_from_db()
        assert (link.end, new == "gone") in [("revoked", True), ("rotated", False)]
        assert live_links(program) == ([] if new == "gone" else [new])
    assert not rows_without_true_history(SharedProgramRecord)


def test_a_link_is_replaced_once(learner: User) -> None:
    for _round in range(ROUNDS):
        program = ProgramFactory.create()
        link = share_record(user=learner, program=program, by=BY).link

        outcomes = at_once(*[rotating(link)] * 4)

        assert sorted(outcome == "gone" for outcome in outcomes) == [False] + [True] * 3
        assert len(live_links(program)) == 1


def test_a_link_that_is_changed_while_it_is_revoked_stays_dead(learner: User) -> None:
    for _round in range(ROUNDS):
        program = ProgramFactory.create()
        link = share_record(user=learner, program=program, by=BY).link

        changed, _nothing = at_once(changing(link), revoking(link))

        link.refresh_from_db()
        assert link.end == "revoked"
        assert link.show_email is (changed != "gone")


def test_who_leaves_while_sharing_has_no_live_link() -> None:
    for _round in range(ROUNDS):
        learner, program = LearnerFactory.create(), ProgramFactory.create()

        at_once(
            sharing(learner, program),
            lambda: retire_user(user=learner, at=AT, actor=None, reason="asked"),  # noqa: B023 - used at once
        )

        assert live_links(program) == []


def test_views_at_once_are_all_counted(learner: User) -> None:
    link = SharedRecordFactory.create(user=learner)

    for _round in range(ROUNDS):
        at_once(*[lambda: count_view(shared_record_id=link.pk, at=AT)] * 6)

    assert SharedRecordViewCount.objects.get().views == 6 * ROUNDS


def test_a_view_is_counted_in_one_statement(learner: User) -> None:
    link = SharedRecordFactory.create(user=learner)

    with CaptureQueriesContext(connection) as captured:
        count_view(shared_record_id=link.pk, at=AT)
        count_view(shared_record_id=link.pk, at=AT)

    assert len(captured) == 2
