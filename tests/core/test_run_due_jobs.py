"""The schedule in one process: what is due runs once, and what was missed is made up for."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import pytest
from celery.schedules import crontab
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from credentials_portal.core.models import JobRun
from tests.databases import url_of_test_database

YEARLY = crontab(month_of_year="1", day_of_month="1", hour="0", minute="0")


def schedule(*lines: tuple[str, ...]) -> dict[str, Any]:
    return {
        " ".join(line): {"task": "core.run_command", "args": line, "schedule": YEARLY}
        for line in lines
    }


@pytest.mark.django_db(transaction=True)
def test_runs_each_job_once_until_it_is_due_again(settings: Settings) -> None:
    settings.CELERY_BEAT_SCHEDULE = schedule(("purge_job_runs",), ("check_history",))

    for _ in range(2):
        call_command("run_due_jobs")

    ran = JobRun.objects.order_by("name").values_list("name", "outcome")
    assert list(ran) == [("check_history", "done"), ("purge_job_runs", "done")]
    year_ago = timezone.now() - timedelta(days=366)
    JobRun.objects.filter(name="check_history").update(started_at=year_ago)
    call_command("run_due_jobs")
    assert JobRun.objects.filter(name="check_history").count() == 2
    assert JobRun.objects.filter(name="purge_job_runs").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_job_that_fails_is_told_and_stops_no_other(settings: Settings) -> None:
    settings.CELERY_BEAT_SCHEDULE = schedule(
        ("job_status", "--max-age", "1h"), ("purge_job_runs",), ("check_history",)
    )
    settings.CELERY_BEAT_SCHEDULE |= schedule(("validate_letters", "--program", "no-such"))

    with pytest.raises(CommandError, match="validate_letters") as refusal:
        call_command("run_due_jobs")

    assert refusal.value.returncode == 1
    assert JobRun.objects.filter(outcome="done").count() == 2


@pytest.mark.django_db(transaction=True)
def test_follows_until_it_is_told_to_stop() -> None:
    def is_done() -> bool:
        return JobRun.objects.filter(name="purge_outbox", outcome="done").exists()

    environment = {**os.environ, "DATABASE_URL": url_of_test_database(), "LOG_LEVEL": "WARNING"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_due_jobs", "--follow", "--interval", "1"],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 120
        while not is_done() and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=120)

    assert code == 0
    assert is_done()
