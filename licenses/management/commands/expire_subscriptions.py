from argparse import ArgumentTypeError
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management import CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from licenses.management import phases
from licenses.models import SubscriptionPlan
from licenses.selectors import expiry
from licenses.selectors.expiry import ExpiryScope


def instant_or_utc(text: str) -> datetime:
    """An instant as the old service's cron lines have it, where none of a zone means UTC."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is no instant such as 2027-05-03T12:00:00.")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def uuids(text: str) -> tuple[UUID, ...]:
    """UUIDs with commas between them."""
    return tuple(arguments.uuid(part.strip()) for part in text.split(",") if part.strip())


class Command(OperatorCommand):
    """Prints `expired`: `plans` (ended ones, by what becomes of them), `licenses` (to downgrade),
    `processed` (plans), `open_downgrades` (licenses, of this run or an earlier one); and with
    --with-unlink `unlinked`, as `unlink_expired_licenses` does. Exits 1 while downgrades or
    learners are open, and when a renewal is stuck."""

    help = (
        "Process subscription plans that have ended: the LMS downgrades what their learners"
        " enrolled in. All that ended and were not processed, however long ago, unless the plan"
        " was renewed. --with-unlink also unlinks learners whose plans ended long enough ago."
    )
    scheduled = True
    dry_run_takes_value = True
    report_columns = phases.FORECAST_COLUMNS

    def add_options(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--with-unlink", action="store_true", help="Then do what unlink_expired_licenses does.")
        add("--expired-after", type=instant_or_utc, metavar="ISO", help="Only plans ended since.")
        add("--expired-before", type=instant_or_utc, metavar="ISO", help="Only plans ended until.")
        add(
            "--subscription-uuids",
            type=uuids,
            metavar="A,B",
            help="Only these plans; processed ones too.",
        )
        add("--force", action="store_true", help="Plans that were processed, too.")
        add(
            "--expire-stuck-renewals",
            action="store_true",
            help="Also plans whose renewal is overdue by more than two days.",
        )

    def run(self, run: CommandRun) -> Summary:
        scope = _scope(run)
        with_unlink: bool = run.options["with_unlink"]
        steps = [expiry.DOWNGRADE, *([expiry.UNLINK] if with_unlink else [])]
        phases.report_forecast(run, scope=scope, only=steps)
        expired = phases.downgrade(run, scope)
        unlinked = phases.unlink(run, scope, after_downgrade=True) if with_unlink else None
        counters: dict[str, object] = {"expired": expired.counters}
        if unlinked:
            counters["unlinked"] = unlinked.counters
        done = [phase for phase in (expired, unlinked) if phase]
        return Summary(
            counters,
            failed=sum(phase.failed for phase in done),
            stuck=sum(phase.stuck for phase in done),
        )


def _scope(run: CommandRun) -> ExpiryScope:
    options: Any = run.options
    named: tuple[UUID, ...] | None = options["subscription_uuids"]
    for moment in (options["expired_after"], options["expired_before"]):
        if moment and moment > run.at:
            raise CommandError("--expired-after and --expired-before cannot lie in the future.")
    if named is not None:
        _require_plans(named)
    return ExpiryScope(
        plan_uuids=named,
        ended_after=options["expired_after"],
        ended_before=options["expired_before"],
        is_forced=options["force"] or named is not None,
        takes_stuck=options["expire_stuck_renewals"],
    )


def _require_plans(named: Collection[UUID]) -> None:
    known = set(SubscriptionPlan.objects.filter(uuid__in=named).values_list("uuid", flat=True))
    if unknown := [str(uuid) for uuid in named if uuid not in known]:
        raise CommandError(f"There is no subscription plan {', '.join(unknown)}.")
