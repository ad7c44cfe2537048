"""The command `seed_demo` where the demo is not made; what it makes: test_demo.py."""

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.schedule import due_jobs
from credentials_portal.web.demo import seed_demo
from tests.web.rows import row_counts

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_is_not_made_where_nobody_said_that_this_is_a_demo(
    settings: Settings, arguments: list[str]
) -> None:
    settings.DEMO = False
    before = row_counts()

    with pytest.raises(CommandError, match="nothing was done") as refusal:
        call_command("seed_demo", *arguments)

    assert refusal.value.returncode == 2
    del before["core_jobrun"]
    assert before.items() <= row_counts().items()


def test_a_dry_run_makes_nothing(settings: Settings) -> None:
    settings.DEMO = True
    before = row_counts()

    stdout = StringIO()
    call_command("seed_demo", "--dry-run", format="json", stdout=stdout)

    assert json.loads(stdout.getvalue()) == {"seeded": True}
    assert row_counts() == before


def test_leaves_a_database_alone_into_which_it_does_not_fit() -> None:
    User.objects.create(username="learner0003", email="somebody@example.org")
    before = row_counts()

    with pytest.raises(ConflictError, match="does not fit"):
        seed_demo(at=AT)

    assert row_counts() == before


def test_leaves_the_expiry_to_visitors_until_the_next_night(settings: Settings) -> None:
    settings.DEMO = True
    User.objects.create(username="learner0003", email="somebody@example.org")
    assert ("expire_subscriptions", "--with-unlink") in due_jobs(timezone.now())

    with pytest.raises(CommandError, match="does not fit"):
        call_command("seed_demo")

    assert ("expire_subscriptions", "--with-unlink") not in due_jobs(timezone.now())
