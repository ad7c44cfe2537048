"""`expire_record_shares`: lists say of a link whose time is over that it has ended."""

import csv
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credentials_portal.core.history import Attribution, rows_without_true_history
from credentials_portal.core.models import JobRun
from programs.enums import ShareEnd
from programs.models import SharedProgramRecord
from programs.services.sharing import expire_shares, revoke_share
from tests.letters.commands import Ran, run_command
from tests.programs.factories import AT, SharedRecordFactory
from tests.programs.records.conftest import DAY, INSTANT, TOMORROW

pytestmark = pytest.mark.django_db


def command(*options: object) -> Ran:
    return run_command("expire_record_shares", "--as-of", AT.isoformat(), *options)


@pytest.fixture
def expired() -> SharedProgramRecord:
    return SharedRecordFactory.create(expires_at=AT)


def test_ends_what_has_expired_of_either_kind_and_nothing_else(
    expired: SharedProgramRecord,
) -> None:
    of_request = SharedRecordFactory.create(of_request=True, expires_at=AT - DAY)
    SharedRecordFactory.create(expires_at=AT + INSTANT)
    SharedRecordFactory.create(expires_at=None)
    revoked = SharedRecordFactory.create(expires_at=AT - DAY)
    revoke_share(link_uuid=revoked.uuid, by=Attribution(at=AT - 2 * DAY))

    ran = command()
    again = command()

    assert (ran.code, ran.summary) == (0, {"expired": {"link": 1, "credit_request": 1}})
    assert again.summary == {"expired": {"link": 0, "credit_request": 0}}
    ended = SharedProgramRecord.objects.filter(end=ShareEnd.EXPIRED).order_by("pk")
    assert list(ended.values_list("pk", "revoked_at")) == [
        (expired.pk, AT),
        (of_request.pk, AT - DAY),
    ]
    assert not rows_without_true_history(SharedProgramRecord)


def test_a_dry_run_changes_nothing(expired: SharedProgramRecord, tmp_path: Path) -> None:
    SharedRecordFactory.create_batch(2, expires_at=AT - DAY)
    before = list(SharedProgramRecord.objects.order_by("pk").values())

    ran = command("--dry-run", "--batch-size", 1, "--output", tmp_path / "expired.csv")

    assert ran.summary == {"expired": {"link": 3, "credit_request": 0}}
    assert list(SharedProgramRecord.objects.order_by("pk").values()) == before
    assert not JobRun.objects.exists()
    with (tmp_path / "expired.csv").open() as report:
        first, *others = csv.DictReader(report)
    assert (first["uuid"], first["kind"], len(others)) == (str(expired.uuid), "link", 2)


def test_goes_through_all_pages() -> None:
    SharedRecordFactory.create_batch(5, expires_at=AT - DAY)

    ran = command("--batch-size", 2)

    assert ran.summary["expired"]["link"] == 5


@pytest.mark.parametrize("size", [1, 50])
def test_a_page_takes_one_statement(size: int) -> None:
    SharedRecordFactory.create_batch(size, expires_at=AT)

    with CaptureQueriesContext(connection) as captured:
        ended = expire_shares(limit=100, by=Attribution(at=TOMORROW))

    statements = [query for query in captured if "SAVEPOINT" not in query["sql"]]
    assert (len(ended), len(statements)) == (size, 1)
