import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command

from credentials_portal.core.models import JobRun
from credentials_portal.core.models import jobs as job_models

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def ran(name: str, *, days_ago: float, outcome: str = "done") -> JobRun:
    at = NOW - timedelta(days=days_ago)
    return JobRun.objects.create(
        name=name,
        system_user="cron",
        judged_at=at,
        started_at=at,
        ended_at=None if outcome == "running" else at,
        outcome=outcome,
    )


def purge(capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    call_command("purge_job_runs", "--as-of", NOW.isoformat(), "--format=json", *options)
    return json.loads(capsys.readouterr().out)


def test_deletes_what_ran_before_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    ran("check_history", days_ago=90.01)
    ran("deliver_outbox", days_ago=91, outcome="running")  # killed
    recent = ran("check_history", days_ago=90)

    assert purge(capsys) == {"deleted": 2}

    assert set(JobRun.objects.exclude(name="purge_job_runs")) == {recent}


def test_deletes_batch_after_batch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_models, "PURGE_BATCH", 2)
    for _number in range(5):
        ran("check_history", days_ago=2)

    assert purge(capsys, "--keep=1d") == {"deleted": 5}


def test_a_dry_run_only_counts(capsys: pytest.CaptureFixture[str]) -> None:
    ran("check_history", days_ago=91)

    assert purge(capsys, "--dry-run") == {"deleted": 1}

    assert JobRun.objects.count() == 1
