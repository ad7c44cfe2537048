from collections.abc import Iterator

from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from subsidy_requests.services.digests import DigestPage, preview_digests, send_digests


class Command(OperatorCommand):
    """Prints `requests` that are told of, `mails`, and `without_administrators`: customers whose
    requests wait until they have one."""

    help = (
        "Queue a mail to each administrator of customers with new requests. A request is told of"
        " once."
    )
    scheduled = True
    report_columns = ("customer_id", "outcome")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--batch-size",
            type=arguments.positive_int,
            default=25,
            metavar="N",
            help="How many customers a transaction looks at. Default: 25.",
        )
        parser.add_argument(
            "--sleep-duration",
            type=arguments.count,
            default=0,
            metavar="SECONDS",
            help="For cron lines of the old service; nothing is waited for, the outbox sends.",
        )

    def run(self, run: CommandRun) -> Summary:
        requests = mails = missing = 0
        for page in run.batches(_pages(run)):
            requests += page.requests
            mails += page.mails
            missing += len(page.without_administrators)
            run.report.rows(
                {"customer_id": pk, "outcome": "without_administrators"}
                for pk in page.without_administrators
            )
        return Summary({"requests": requests, "mails": mails, "without_administrators": missing})


def _pages(run: CommandRun) -> Iterator[DigestPage]:
    by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
    size, last_id = run.options["batch_size"], 0
    while page := _page(run, size=size, by=by, after=last_id):
        yield page
        last_id = page.last_id


def _page(run: CommandRun, *, size: int, by: Attribution, after: int) -> DigestPage | None:
    if run.dry_run:
        return preview_digests(size=size, after=after)
    return send_digests(size=size, by=by, after=after)
