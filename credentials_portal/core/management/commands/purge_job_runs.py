from datetime import timedelta

from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.models import JobRun


class Command(OperatorCommand):
    help = "Delete the records of commands' runs after their time."
    scheduled = True

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--keep",
            type=arguments.duration,
            default=timedelta(days=90),
            metavar="DURATION",
            help="How long they stay, such as 90d (the default).",
        )

    def run(self, run: CommandRun) -> Summary:
        before = run.at - run.options["keep"]
        if run.dry_run:
            return Summary({"deleted": JobRun.objects.started_before(before).count()})
        deleted = 0
        for batch in run.batches(iter(lambda: JobRun.objects.purge(before=before), 0)):
            deleted += batch
        return Summary({"deleted": deleted})
