import time
from collections import Counter

from django.core.management import CommandError, CommandParser
from django.utils import timezone

from credentials_portal.core import arguments, outbox
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.models.outbox import OutboxMessage, OutboxStatus
from credentials_portal.core.outbox.kinds import registered

TROUBLE = (OutboxStatus.FAILED, OutboxStatus.DEAD, OutboxStatus.UNCERTAIN)


class Command(OperatorCommand):
    help = (
        "Deliver what waits in the outbox: once, for cron, or with --follow until it is told to "
        "stop. Any number may run at the same time."
    )
    exclusive = False

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--kind",
            action="append",
            default=[],
            choices=sorted(registered),
            help="Only this kind; repeatable.",
        )
        parser.add_argument("--follow", action="store_true", help="Go on until SIGTERM or SIGINT.")
        parser.add_argument(
            "--interval",
            type=arguments.positive_int,
            default=1,
            metavar="SECONDS",
            help="With --follow: how long to rest when nothing is due.",
        )

    def run(self, run: CommandRun) -> Summary:
        if run.dry_run:
            return self._show_due(run)
        if run.options["as_of"]:
            raise CommandError("--as-of needs --dry-run: leases are measured by the true time.")
        if run.options["follow"]:
            return _summary(self._follow(run))
        tally = outbox.deliver_due(
            clock=timezone.now, only=run.options["kind"], must_stop=run.must_stop
        )
        run.was_interrupted = run.must_stop()
        return _summary(tally)

    def _follow(self, run: CommandRun) -> outbox.Tally:
        return outbox.follow(
            clock=timezone.now,
            only=run.options["kind"],
            must_stop=run.must_stop,
            wait=lambda: time.sleep(run.options["interval"]),
        )

    def _show_due(self, run: CommandRun) -> Summary:
        if run.options["follow"]:
            raise CommandError("--follow cannot be a dry run.")
        due = OutboxMessage.objects.due(run.at).released()
        if run.options["kind"]:
            due = due.filter(kind__in=run.options["kind"])
        kinds = Counter(due.values_list("kind", flat=True))
        return Summary({"due": kinds.total(), "due_by_kind": dict(sorted(kinds.items()))})

    def _recorded(self, run: CommandRun) -> Summary:
        # What never ends has no outcome to record; `job_status` watches the outbox itself.
        return self.run(run) if run.options["follow"] else super()._recorded(run)


def _summary(tally: outbox.Tally) -> Summary:
    named = {"retried" if s == OutboxStatus.PENDING else s: s for s in OutboxStatus.values}
    del named[OutboxStatus.DELIVERING]
    counters = {name: tally.outcomes[status] for name, status in named.items()}
    return Summary(
        {**counters, "unregistered_kinds": sorted(tally.unregistered)},
        failed=sum(tally.outcomes[status] for status in TROUBLE) + len(tally.unregistered),
    )
