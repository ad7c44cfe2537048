from collections import Counter
from collections.abc import Iterator, Sequence

from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from programs.enums import ShareKind
from programs.models import SharedProgramRecord
from programs.services.sharing import Expired, expire_shares


class Command(OperatorCommand):
    """Prints `expired` (link, credit_request → links).

    No cap: a link is dead for everybody from the instant of its expiry, marked or not."""

    help = "Mark the links to program records whose time is over as ended."
    scheduled = True
    report_columns = Expired._fields

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--batch-size",
            type=arguments.positive_int,
            default=1_000,
            metavar="N",
            help="How many links a transaction marks. Default: 1000.",
        )

    def run(self, run: CommandRun) -> Summary:
        expired: Counter[str] = Counter()
        for page in run.batches(_seen(run) if run.dry_run else _marked(run)):
            expired.update(link.kind for link in page)
            run.report.rows(link._asdict() for link in page)
        return Summary({"expired": {str(kind): expired[kind] for kind in ShareKind}})


def _marked(run: CommandRun) -> Iterator[Sequence[Expired]]:
    by = Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
    while page := expire_shares(limit=run.options["batch_size"], by=by):
        yield page


def _seen(run: CommandRun) -> Iterator[Sequence[Expired]]:
    size, last_id = run.options["batch_size"], 0
    links = SharedProgramRecord.objects.expired(run.at).order_by("pk")
    while page := list(links.filter(pk__gt=last_id)[:size]):
        last_id = page[-1].pk
        yield [Expired(link.uuid, ShareKind(link.kind), link.expires_at) for link in page]
