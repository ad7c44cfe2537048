from collections import Counter
from collections.abc import Iterator

from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from entitlements.models import CourseEntitlement
from entitlements.services.reminding import (
    THRESHOLDS,
    RemindedPage,
    preview_reminders,
    remind_page,
)


class Command(OperatorCommand):
    """Prints `queued` (days before the end → mails)."""

    help = (
        "Queue mails to learners whose entitlements end unused in 90, 30 or 7 days; each is told"
        " once, and again when the end was moved. After an outage only the nearest is."
    )
    scheduled = True
    report_columns = ("uuid", "threshold_days", "ends_at")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--batch-size",
            type=arguments.positive_int,
            default=1_000,
            metavar="N",
            help="How many mails a transaction queues. Default: 1000.",
        )

    def run(self, run: CommandRun) -> Summary:
        queued: Counter[int] = Counter()
        for page in run.batches(_pages(run)):
            queued += page.by_threshold
            if run.options["output"]:
                _report(run, page)
        return Summary({"queued": {str(days): queued[days] for days in THRESHOLDS}})


def _report(run: CommandRun, page: RemindedPage) -> None:
    entitlements = CourseEntitlement.objects.in_bulk([one.entitlement_id for one in page.reminders])
    run.report.rows(
        {
            "uuid": entitlements[one.entitlement_id].uuid,
            "threshold_days": one.threshold_days,
            "ends_at": one.ends_at,
        }
        for one in page.reminders
    )


def _pages(run: CommandRun) -> Iterator[RemindedPage]:
    by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
    size, last_id = run.options["batch_size"], 0
    while page := _page(run, size=size, by=by, after=last_id):
        yield page
        last_id = page.last_id


def _page(run: CommandRun, *, size: int, by: Attribution, after: int) -> RemindedPage | None:
    if run.dry_run:
        return preview_reminders(size=size, at=by.at, after=after)
    return remind_page(size=size, by=by, after=after)
