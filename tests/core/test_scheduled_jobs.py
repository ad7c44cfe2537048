"""When each line of the schedule is late, and which runs count for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery.schedules import crontab
from django.core.management import call_command

from credentials_portal.core.models import JobRun
from credentials_portal.core.models.jobs import JobOutcome
from credentials_portal.core.schedule import (
    JobStanding,
    ScheduledJob,
    jobs_without_records,
    scheduled_jobs,
)

pytestmark = pytest.mark.django_db

# The schedule of these tests: `often` every ten minutes, `daily` at 02:05.
OFTEN, DAILY = ("purge_job_runs",), ("purge_job_runs", "--keep", "30d")
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def schedule(settings: Any) -> None:
    settings.CELERY_BEAT_SCHEDULE = {
        "messages": {"task": "core.deliver_outbox", "schedule": 60},
        "often": line(*OFTEN, schedule=crontab(minute="*/10")),
        "daily": line(*DAILY, schedule=crontab(hour="2", minute="5")),
        "sessions": line("clearsessions", schedule=crontab(hour="4", minute="20")),
    }


def line(*arguments: str, schedule: crontab) -> dict[str, Any]:
    return {"task": "core.run_command", "args": arguments, "schedule": schedule}


def run(started_at: datetime, *, outcome: str = "done", **arguments: Any) -> JobRun:
    return JobRun.objects.create(
        name="purge_job_runs",
        arguments=arguments,
        system_user="cron",
        judged_at=started_at,
        started_at=started_at,
        ended_at=None if outcome == "running" else started_at + SECOND,
        outcome=outcome,
    )


def often(at: datetime) -> ScheduledJob:
    return scheduled_jobs(at)[0]


def daily(at: datetime) -> ScheduledJob:
    return scheduled_jobs(at)[1]


def test_knows_which_lines_keep_records() -> None:
    assert [job.line for job in scheduled_jobs(NOON)] == [" ".join(OFTEN), " ".join(DAILY)]
    assert jobs_without_records() == ["messages", "clearsessions"]


def test_a_job_that_never_ran() -> None:
    assert often(NOON) == ScheduledJob(" ".join(OFTEN), JobStanding.NEVER)


def test_a_job_is_late_a_quarter_of_an_hour_after_it_was_due() -> None:
    run(NOON)

    assert often(NOON + timedelta(minutes=25)).standing == JobStanding.DONE
    assert often(NOON + timedelta(minutes=25) + SECOND).standing == JobStanding.LATE


def test_each_job_is_late_by_its_own_schedule() -> None:
    run(datetime(2025, 6, 1, 2, 5, 3, tzinfo=UTC), keep="30 days, 0:00:00")

    assert daily(datetime(2025, 6, 2, 2, 20, tzinfo=UTC)).standing == JobStanding.DONE
    assert daily(datetime(2025, 6, 2, 2, 20, 1, tzinfo=UTC)).standing == JobStanding.LATE


def test_a_running_job_is_late_only_after_hours() -> None:
    run(NOON, outcome="running")

    assert often(NOON + timedelta(hours=6)).standing == JobStanding.RUNNING
    assert often(NOON + timedelta(hours=6, minutes=11)).standing == JobStanding.LATE


def test_a_failure_stands_until_a_run_succeeds() -> None:
    run(NOON)
    failure = run(NOON + timedelta(minutes=10), outcome="crashed")
    run(NOON + timedelta(minutes=20), outcome="running")
    at = NOON + timedelta(minutes=21)

    assert often(at) == ScheduledJob(
        " ".join(OFTEN),
        JobStanding.FAILED,
        last_started_at=NOON + timedelta(minutes=20),
        last_success_at=NOON + SECOND,
        outcome=JobOutcome.CRASHED,
        run_id=failure.pk,
    )

    JobRun.objects.filter(outcome="running").update(outcome="done", ended_at=at)

    assert often(at).standing == JobStanding.DONE
    assert often(at).last_success_at == at


def test_a_run_with_further_options_counts_and_one_without_the_lines_own_does_not() -> None:
    run(NOON, keep="30 days, 0:00:00", format="json")
    assert often(NOON).standing == JobStanding.DONE
    assert daily(NOON).standing == JobStanding.DONE

    JobRun.objects.all().delete()
    run(NOON, format="json")

    assert often(NOON).standing == JobStanding.DONE
    assert daily(NOON).standing == JobStanding.NEVER


def test_a_real_run_of_the_line_counts() -> None:
    call_command(*DAILY)
    at = JobRun.objects.get().started_at

    assert daily(at).standing == JobStanding.DONE
