from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from letters import selectors, services
from letters.enums import Outcome


class Command(OperatorCommand):
    """Prints `run`, `restored`, `skipped`, `failed` (of this call), `state_counts`, `outcomes`."""

    help = (
        "Put the letters that a plan changed back as they were, but for those that anybody"
        " touched since. Running it again goes on where it stopped."
    )
    report_columns = selectors.PLAN_COLUMNS

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("plan", type=arguments.uuid, metavar="RUN")
        parser.add_argument("--reason", default="", metavar="TEXT", help="Kept with every change.")
        parser.add_argument("--batch-size", type=arguments.positive_int, default=1_000, metavar="N")

    def run(self, run: CommandRun) -> Summary:
        plan = services.run_by_uuid(run.options["plan"])
        services.require_rollbackable(plan)
        by = Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
        if run.dry_run:
            outcomes = services.preview_rollback(plan)
        else:
            services.start_rollback(plan, by=by)
            size = run.options["batch_size"]
            outcomes = run.until_done(lambda: services.roll_back_page(run=plan, size=size, by=by))
        if run.options["output"]:
            run.report.rows(selectors.plan_rows(plan))
        return Summary(
            {
                "run": str(plan.uuid),
                "restored": outcomes[Outcome.RESTORED],
                "skipped": outcomes[Outcome.KEPT],
                "failed": outcomes[Outcome.FAILED],
                "state_counts": selectors.state_counts(plan),
                "outcomes": selectors.outcome_counts(plan),
            },
            failed=outcomes[Outcome.FAILED],
        )
