from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from subsidy_requests.enums import SubsidyType
from subsidy_requests.models import REQUESTS_OF
from subsidy_requests.services.expiring import StalePage, expire_page, preview_stale


class Command(OperatorCommand):
    """Prints `days` and `expired` (license, coupon → requests)."""

    help = (
        "End requests that nobody answered for so many days; their learners are told, and can ask"
        " again."
    )
    scheduled = True
    report_columns = ("type", "uuid", "customer_id", "created")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days",
            type=arguments.count,
            metavar="N",
            help="0: no request ends. Default: SUBSIDY_REQUESTS_EXPIRE_AFTER_DAYS.",
        )
        parser.add_argument(
            "--batch-size",
            type=arguments.positive_int,
            default=1_000,
            metavar="N",
            help="How many requests a transaction ends. Default: 1000.",
        )

    def run(self, run: CommandRun) -> Summary:
        given = run.options["days"]
        days = settings.SUBSIDY_REQUESTS_EXPIRE_AFTER_DAYS if given is None else given
        expired: Counter[str] = Counter()
        for kind, page in run.batches(_pages(run, days) if days else ()):
            expired[kind] += len(page.expired)
            run.report.rows(
                {
                    "type": kind,
                    "uuid": request.uuid,
                    "customer_id": request.customer_id,
                    "created": request.created,
                }
                for request in page.expired
            )
        return Summary({"days": days, "expired": {kind: expired[kind] for kind in SubsidyType}})


def _pages(run: CommandRun, days: int) -> Iterator[tuple[SubsidyType, StalePage[Any]]]:
    for kind, model in REQUESTS_OF.items():
        last_id = 0
        while page := _page(run, model, days=days, after=last_id):
            yield kind, page
            last_id = page.last_id


def _page(run: CommandRun, model: type[Any], *, days: int, after: int) -> StalePage[Any] | None:
    size, made_before = run.options["batch_size"], run.at - timedelta(days=days)
    if run.dry_run:
        return preview_stale(model, size=size, made_before=made_before, after=after)
    by = Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
    return expire_page(model, size=size, made_before=made_before, by=by, after=after)
