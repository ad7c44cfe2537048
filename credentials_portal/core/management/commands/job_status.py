from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.core.management import CommandError, CommandParser, get_commands, load_command_class
from django.db.models import Max, Q

from credentials_portal.core.arguments import duration
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.models import JobRun
from credentials_portal.core.models.jobs import JobOutcome


class Command(OperatorCommand):
    help = "Exit with 1 when a job has not succeeded lately: by default, any that cron should run."
    job = False

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--max-age",
            type=duration,
            default=timedelta(hours=26),
            metavar="26h",
            help="How long ago the last success may be: 90m, 26h, 7d. Default: 26h.",
        )
        parser.add_argument(
            "--job", action="append", metavar="NAME", help="Only this job; may be repeated."
        )

    def run(self, run: CommandRun) -> Summary:
        names = _jobs(run.options["job"])
        jobs = _latest(names, since=run.at - run.options["max_age"], at=run.at)
        for name, facts in jobs.items():
            run.report.row(job=name, **facts)
        stale = sum(facts["is_stale"] for facts in jobs.values())
        return Summary({"stale": stale, "jobs": jobs}, failed=stale)


def _jobs(wanted: list[str] | None) -> list[str]:
    """The names that were asked for, else those of all scheduled commands of the portal."""
    commands = get_commands()
    if wanted:
        for name in wanted:
            if name not in commands:
                raise CommandError(f"--job {name}: there is no such command.")
        return sorted(set(wanted))
    ours = {config.name for config in apps.get_app_configs() if "site-packages" not in config.path}
    return sorted(
        name
        for name, app in commands.items()
        if app in ours and getattr(load_command_class(app, name), "scheduled", False)
    )


def _latest(names: Collection[str], *, since: datetime, at: datetime) -> dict[str, dict[str, Any]]:
    runs = JobRun.objects.filter(name__in=names, started_at__lte=at)
    successes = dict(
        runs.values("name")
        .annotate(success=Max("ended_at", filter=Q(outcome=JobOutcome.DONE)))
        .values_list("name", "success")
    )
    newest = dict(
        runs.order_by("name", "-started_at", "-pk").distinct("name").values_list("name", "outcome")
    )
    return {
        name: {
            "is_stale": (success := successes.get(name)) is None or success < since,
            "last_success": success and success.isoformat(),
            "last_outcome": newest.get(name),
        }
        for name in names
    }
