from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from entitlements.enums import RULES
from entitlements.models import CourseEntitlement
from entitlements.services.expiring import (
    DueEntitlement,
    ExpiryPage,
    expire_page,
    expiry_pages,
    preview_expiry,
)


class Command(OperatorCommand):
    """Prints `committed`, `expired` (reason → entitlements), `waiting` (due, but a use or a refund
    of them is under way) and `failed`.

    Without --commit it only shows: cron lines of the old service rely on it. No cap: what has
    ended by its rule has ended for everybody who reads it, so the mark withdraws nothing."""

    help = (
        "Mark the entitlements that have ended by the rules of their policies. Without --commit"
        " it only shows what would be marked."
    )
    scheduled = True
    report_columns = ("uuid", "reason", "outcome")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "-c", "--commit", action="store_true", help="Do it; not together with --dry-run."
        )
        parser.add_argument(
            "--batch-size",
            type=arguments.positive_int,
            default=10_000,
            metavar="N",
            help="How many entitlements a transaction looks at. Default: 10000.",
        )

    def handle(self, *args: str, **options: Any) -> None:
        if not options["commit"] and not options["dry_run"]:
            self.stderr.write("A dry run: nothing is written without --commit.")
        options["dry_run"] = options["dry_run"] or not options["commit"]
        super().handle(*args, **options)

    def run(self, run: CommandRun) -> Summary:
        expired: Counter[str] = Counter()
        waiting = failed = 0
        for page in run.batches(expiry_pages(size=run.options["batch_size"])):
            done = self._expire(run, page)
            expired.update(one.reason for one in done.ended)
            waiting += done.waiting
            failed += len(done.failed)
            self._tell(run, "would_expire" if run.dry_run else "expired", done.ended)
            self._tell(run, "failed", done.failed)
        return Summary(
            {
                "committed": not run.dry_run,
                "expired": {reason: expired[reason] for reason in RULES},
                "waiting": waiting,
                "failed": failed,
            },
            failed=failed,
        )

    def _expire(self, run: CommandRun, page: tuple[int, int | None]) -> ExpiryPage:
        if run.dry_run:
            return preview_expiry(page, at=run.at)
        return expire_page(
            page, by=Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
        )

    def _tell(self, run: CommandRun, outcome: str, rows: Sequence[DueEntitlement]) -> None:
        if not run.options["output"]:
            return
        entitlements = CourseEntitlement.objects.in_bulk([one.entitlement_id for one in rows])
        run.report.rows(
            {
                "uuid": entitlements[one.entitlement_id].uuid,
                "reason": one.reason,
                "outcome": outcome,
            }
            for one in rows
        )
