from datetime import timedelta

from django.core.management import CommandParser

from credentials_portal.core import arguments, outbox
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary


class Command(OperatorCommand):
    help = (
        "Delete finished outbox messages after their time. What waits, is in delivery, dead or "
        "uncertain stays, however old."
    )
    scheduled = True

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--keep",
            type=arguments.duration,
            default=timedelta(days=90),
            metavar="DURATION",
            help="How long finished messages stay, such as 90d (the default).",
        )

    def run(self, run: CommandRun) -> Summary:
        before = run.at - run.options["keep"]
        if run.dry_run:
            return Summary({"deleted": outbox.purgeable(before=before).count()})
        deleted = 0
        for batch in run.batches(iter(lambda: outbox.purge(before=before), 0)):
            deleted += batch
        return Summary({"deleted": deleted})
