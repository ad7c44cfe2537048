from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from letters import selectors, services


class Command(OperatorCommand):
    """Without RUN prints `letters` (state → count), `suspended_because` (reason → count), `queued`,
    `held`, `runs_that_hold`; with RUN what the run found and did."""

    help = "Show how the letters stand, or one run over them."
    job = False

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("run", nargs="?", type=arguments.uuid, metavar="RUN")

    def run(self, run: CommandRun) -> Summary:
        if run.options["run"] is None:
            return Summary(selectors.status_of_letters())
        return Summary(selectors.status_of_run(services.run_by_uuid(run.options["run"])))
