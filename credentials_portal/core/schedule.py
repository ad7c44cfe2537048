"""The scheduled jobs: when each should run, and how it went."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from celery.schedules import crontab
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.commands import OperatorCommand
from credentials_portal.core.models.jobs import JobOutcome

# After a job should have started; one that is running may keep others of its name waiting longer.
PATIENCE = timedelta(minutes=15)
PATIENCE_WHILE_RUNNING = timedelta(hours=6)

NEWEST_RUN = """
    SELECT * FROM core_jobrun AS run
    WHERE run.name = line.name AND run.arguments @> line.arguments AND {condition}
    ORDER BY run.started_at DESC LIMIT 1
"""
RUNS_OF_LINES = f"""
    SELECT newest.started_at, newest.outcome, ended.id, ended.outcome, success.ended_at
    FROM unnest(%s::text[], %s::jsonb[]) WITH ORDINALITY AS line (name, arguments, position)
    LEFT JOIN LATERAL ({NEWEST_RUN.format(condition="true")}) AS newest ON true
    LEFT JOIN LATERAL ({NEWEST_RUN.format(condition="run.outcome <> 'running'")}) AS ended ON true
    LEFT JOIN LATERAL ({NEWEST_RUN.format(condition="run.outcome = 'done'")}) AS success ON true
    ORDER BY line.position
"""  # noqa: S608 - composed of constants


class JobStanding(models.TextChoices):
    NEVER = "never", _("has never run")
    LATE = "late", _("late")
    FAILED = "failed", _("did not succeed")
    RUNNING = "running", _("running")
    DONE = "done", _("done")


@dataclass(frozen=True)
class ScheduledJob:
    """One line of the schedule. `outcome` and `run_id` are those of the last run that ended."""

    line: str
    standing: JobStanding
    last_started_at: datetime | None = None
    last_success_at: datetime | None = None
    outcome: JobOutcome | None = None
    run_id: int | None = None


def scheduled_jobs(at: datetime) -> list[ScheduledJob]:
    """Every line of the schedule whose command keeps records, in one statement.

    A run with further options than the line's counts as well. The schedule is beat's
    (`CELERY_BEAT_SCHEDULE`); cron is expected to keep to it.
    """
    lines = [line for line in _lines() if _record(*line["args"]) is not None]
    names = [line["args"][0] for line in lines]
    arguments = [json.dumps(_record(*line["args"])) for line in lines]
    with connection.cursor() as cursor:
        cursor.execute(RUNS_OF_LINES, [names, arguments])
        runs = cursor.fetchall()
    return [_job(line, *run, at=at) for line, run in zip(lines, runs, strict=True)]


def due_jobs(at: datetime) -> list[Sequence[str]]:
    """The commands of the lines that should have started by now and have not, each as arguments.

    By state, not by the clock: what was missed is due until it ran, and then once.
    """
    schedules = {" ".join(line["args"]): line for line in _lines()}
    return [
        schedules[job.line]["args"]
        for job in scheduled_jobs(at)
        if job.last_started_at is None
        or next_due(schedules[job.line]["schedule"], job.last_started_at) <= at
    ]


def jobs_without_records() -> list[str]:
    """What else the schedule runs."""
    tasks = [
        name
        for name, entry in settings.CELERY_BEAT_SCHEDULE.items()
        if entry["task"] != "core.run_command"
    ]
    return tasks + [" ".join(line["args"]) for line in _lines() if _record(*line["args"]) is None]


def _lines() -> list[dict[str, Any]]:
    schedule = settings.CELERY_BEAT_SCHEDULE.values()
    return [entry for entry in schedule if entry["task"] == "core.run_command"]


@cache
def _record(name: str, *arguments: str) -> Mapping[str, Any] | None:
    """What a run of this line keeps as its arguments; None: it keeps no record."""
    command = load_command_class(get_commands()[name], name)
    if not isinstance(command, OperatorCommand):
        return None
    options = vars(command.create_parser("manage.py", name).parse_args(list(arguments)))
    return command.recorded_options(options)


def _job(
    line: Mapping[str, Any],
    started_at: datetime | None,
    newest_outcome: str | None,
    run_id: int | None,
    outcome: str | None,
    success_at: datetime | None,
    *,
    at: datetime,
) -> ScheduledJob:
    return ScheduledJob(
        line=" ".join(line["args"]),
        standing=_standing(line["schedule"], started_at, newest_outcome, outcome, at=at),
        last_started_at=started_at,
        last_success_at=success_at,
        outcome=JobOutcome(outcome) if outcome else None,
        run_id=run_id,
    )


def _standing(
    schedule: crontab,
    started_at: datetime | None,
    newest_outcome: str | None,
    outcome: str | None,
    *,
    at: datetime,
) -> JobStanding:
    if started_at is None:
        return JobStanding.NEVER
    is_running = newest_outcome == JobOutcome.RUNNING
    patience = PATIENCE_WHILE_RUNNING if is_running else PATIENCE
    if at > next_due(schedule, started_at) + patience:
        return JobStanding.LATE
    if outcome not in {JobOutcome.DONE, None}:
        return JobStanding.FAILED
    return JobStanding.RUNNING if is_running else JobStanding.DONE


def next_due(schedule: crontab, started_at: datetime) -> datetime:
    """When a job should run again that started then."""
    start, ahead, _now = schedule.remaining_delta(started_at)
    due: datetime = start + ahead
    return due
