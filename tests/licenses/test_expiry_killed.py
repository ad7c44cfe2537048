"""Expiry in real processes: killed at any statement, twice at once, beside retirement."""

import os
import subprocess
import sys
import time
from collections import Counter
from itertools import count

import pytest
from django.conf import settings as portal

from credentials_portal.core.models import JobRun
from credentials_portal.devlms import StandInLms
from licenses.enums import UNLINKED, LinkStatus
from licenses.models import CustomerLearner, LearnerUnlink, LicenseDowngrade, LicenseEvent
from licenses.services import batches
from tests.databases import url_of_test_database
from tests.letters.test_killed import command_was_killed, run_again
from tests.licenses.factories import AT, HOUR
from tests.licenses.test_unlink_expired_licenses import holder, processed_plan
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)

STEP = 1 if os.environ.get("FULL") else 9
AS_OF = ("--as-of", AT.isoformat())
LEARNERS = 7
Lms = StandInLms


def ended_plan(name: str, learners: int = LEARNERS) -> set[str]:
    """The addresses of the learners of a plan of which nothing was done yet."""
    plan = processed_plan(expiration_processed=False)
    return {holder(plan, f"{name}.{n}@example.com").user_email for n in range(learners)}


def unlinked_addresses() -> set[str]:
    gone = CustomerLearner.objects.filter(status=LinkStatus.UNLINKED)
    return set(gone.values_list("user_email", flat=True))


def told(lms: Lms) -> Counter[str]:
    """How often the LMS was told to unlink each address."""
    return Counter(
        email for call in lms.calls_to("unlink_users") for email in call.body["user_emails"]
    )


def start(lms: Lms, *line: str) -> subprocess.Popen[str]:
    """A command in a process of its own, on the test's database."""
    address = url_of_test_database()
    return subprocess.Popen(
        [sys.executable, "manage.py", *line, *AS_OF],
        cwd=portal.BASE_DIR,
        env={
            **os.environ,
            "DATABASE_URL": address,
            "LMS_BASE_URL": lms.url,
            "LMS_TIMEOUT_SECONDS": "120",
            "LMS_CLIENT_ID": lms.client_id,
            "LMS_CLIENT_SECRET": lms.client_secret,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_run_that_was_killed_at_any_statement_ends_well(
    lms: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "ROWS_PER_CALL", 3)
    kills = 0
    for statement in count(1, STEP):
        emails = ended_plan(f"at{statement}")
        line = ("expire_subscriptions", "--with-unlink")
        is_over = not command_was_killed(statement, *line, *AS_OF)

        # What the killed one held is free once its lease is over.
        ran = run_again(*line, "--as-of", (AT + HOUR).isoformat())

        assert (ran.code, ran.summary["unlinked"]["waiting"]) == (0, 0)
        assert emails <= unlinked_addresses()
        # The pages in flight, and no others, are told again.
        assert max(told(lms)[email] for email in emails) <= 2
        if is_over:
            break
        kills += 1
    assert kills >= 60 / STEP
    assert not LearnerUnlink.objects.exists()
    assert not LicenseDowngrade.objects.filter(finished_at=None).exists()
    assert LicenseEvent.objects.filter(event_name=UNLINKED).count() == (kills + 1) * LEARNERS
    assert set(JobRun.objects.values_list("outcome", flat=True)) <= {"done", "crashed"}


def test_two_crons_at_once_tell_everybody_once(lms: Lms) -> None:
    emails = ended_plan("both", 250)
    lms.hold()

    with start(lms, "expire_subscriptions", "--with-unlink") as first:
        wait_for_call(lms, first)
        with start(lms, "expire_subscriptions", "--with-unlink") as same:
            said, _ = same.communicate(timeout=300)
        lms.release()
        with start(lms, "unlink_expired_licenses") as other:
            other.communicate(timeout=300)
        first.communicate(timeout=300)

    assert (first.returncode, same.returncode) == (0, 3)
    assert "already running" in said
    assert unlinked_addresses() == emails
    assert set(told(lms).values()) == {1}


def wait_for_call(lms: Lms, caller: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not lms.arrived:
        assert caller.poll() is None, caller.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.02)


def test_whoever_comes_first_retirement_loses_nobody(lms: Lms) -> None:
    emails = ended_plan("retired")

    with (
        start(lms, "retire_old_licenses") as retiring,
        start(lms, "expire_subscriptions", "--with-unlink") as expiring,
    ):
        codes = [one.wait(300) for one in (retiring, expiring)]

    assert codes == [0, 0]
    assert set(told(lms)) == emails
