"""`expire_stale_requests`: what nobody answers ends."""

from pathlib import Path
from typing import Any

import pytest

from credentials_portal.core.history import rows_without_true_history, save_with_history
from credentials_portal.core.models import JobRun, OutboxMessage
from subsidy_requests.enums import RequestState
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.expiring import expire_page
from tests.letters.commands import Ran, run_command
from tests.letters.conftest import Statements
from tests.licenses.factories import AT, BY, DAY, INSTANT, CustomerFactory, LearnerFactory
from tests.subsidy_requests.factories import CouponCodeRequestFactory, LicenseRequestFactory

pytestmark = pytest.mark.django_db


def command(*options: object) -> Ran:
    return run_command("expire_stale_requests", "--as-of", AT.isoformat(), *options)


def requested(**fields: Any) -> LicenseRequest:
    request: LicenseRequest = LicenseRequestFactory.build(
        customer=CustomerFactory.create(), user=LearnerFactory.create(), **fields
    )
    save_with_history(request, by=BY)
    return request


def states() -> list[str]:
    return list(LicenseRequest.objects.order_by("pk").values_list("state", flat=True))


def test_ends_what_waits_for_so_long_with_one_mail_each() -> None:
    stale = requested(created=AT - 90 * DAY)
    requested(created=AT - 90 * DAY + INSTANT)
    code = CouponCodeRequestFactory.create(created=AT - 200 * DAY)

    ran = command("--days", 90)
    again = command("--days", 90)

    stale.refresh_from_db()
    assert ran.summary == {"days": 90, "expired": {"license": 1, "coupon": 1}}
    assert again.summary == {"days": 90, "expired": {"license": 0, "coupon": 0}}
    assert states() == ["expired", "requested"]
    assert (stale.decision_source, stale.state_changed_at) == ("expiry", AT)
    assert CouponCodeRequest.objects.get(pk=code.pk).state == RequestState.EXPIRED
    mails = OutboxMessage.objects.order_by("pk").values_list("payload__notice", "payload__request")
    assert sorted(mails) == sorted([("expired", stale.pk), ("expired", code.pk)])
    assert rows_without_true_history(LicenseRequest) == 0


@pytest.mark.parametrize("trait", ["declined", "failed", "cancelled"])
def test_what_was_decided_stays(trait: str) -> None:
    request = LicenseRequestFactory.create(created=AT - 100 * DAY, **{trait: True})

    command("--days", 90)

    assert states() == [request.state]


def test_a_learner_can_ask_again_afterwards() -> None:
    stale = requested(created=AT - 100 * DAY)
    command("--days", 90)

    LicenseRequestFactory.create(user=stale.user, customer=stale.customer)

    assert states() == ["expired", "requested"]


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    stale = requested(created=AT - 100 * DAY)

    ran = command("--days", 90, "--dry-run", "--output", tmp_path / "stale.csv")

    assert ran.summary == {"days": 90, "expired": {"license": 1, "coupon": 0}}
    assert str(stale.uuid) in (tmp_path / "stale.csv").read_text()
    assert states() == ["requested"]
    assert (OutboxMessage.objects.count(), JobRun.objects.count()) == (0, 0)


def test_without_days_the_setting_decides_and_0_is_never(settings: Any) -> None:
    requested(created=AT - 10_000 * DAY)

    never = command()
    settings.SUBSIDY_REQUESTS_EXPIRE_AFTER_DAYS = 10_000
    once = command()

    assert never.summary == {"days": 0, "expired": {"license": 0, "coupon": 0}}
    assert once.summary == {"days": 10_000, "expired": {"license": 1, "coupon": 0}}


def test_goes_through_all_pages() -> None:
    for _ in range(5):
        requested(created=AT - 100 * DAY)

    ran = command("--days", 90, "--batch-size", 2)

    assert ran.summary == {"days": 90, "expired": {"license": 5, "coupon": 0}}


def test_a_page_needs_as_many_statements_for_one_as_for_twenty(statements: Statements) -> None:
    requested()
    with statements.counted() as for_one:
        expire_page(LicenseRequest, size=100, made_before=AT, by=BY)
    LicenseRequestFactory.create_batch(20)

    with statements.counted() as for_twenty:
        page = expire_page(LicenseRequest, size=100, made_before=AT, by=BY)

    assert page
    assert len(page.expired) == 20
    assert len(for_twenty) == len(for_one)
