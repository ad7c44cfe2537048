from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from letters import selectors, services
from letters.enums import Outcome


class Command(OperatorCommand):
    """Prints `run`, `changed`, `skipped`, `failed` (of this call), `state_counts` (of the plan's
    letters now), `outcomes` (of the plan, over all calls)."""

    help = (
        "Do what a plan of `validate_letters` says, judging every letter again under its lock."
        " Running it again goes on where it stopped, and changes nothing once it is done. Nobody"
        " is mailed."
    )
    withdraws = True
    default_max_percent = 5.0
    report_columns = selectors.PLAN_COLUMNS

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("plan", type=arguments.uuid, metavar="RUN")
        parser.add_argument("--only", metavar="CHECK", help="Only letters that fail this check.")
        parser.add_argument("--batch-size", type=arguments.positive_int, default=1_000, metavar="N")

    def run(self, run: CommandRun) -> Summary:
        plan = services.run_by_uuid(run.options["plan"])
        by = Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
        only, size = run.options["only"], run.options["batch_size"]
        services.require_applicable(plan, only)
        if run.cap:
            services.check_cap(plan, cap=run.cap, only=only)
        if run.dry_run:
            outcomes = services.preview_apply(plan, at=run.at, only=only)
        else:
            plan = services.approve_plan(plan, by=by, only=only)
            outcomes = run.until_done(
                lambda: services.apply_page(run=plan, size=size, by=by, only=only)
            )
            if not run.was_interrupted:
                services.finish_apply(plan)
        if run.options["output"]:
            run.report.rows(selectors.plan_rows(plan))
        return Summary(
            {
                "run": str(plan.uuid),
                "changed": outcomes[Outcome.CHANGED],
                "skipped": outcomes[Outcome.SKIPPED],
                "failed": outcomes[Outcome.FAILED],
                "state_counts": selectors.state_counts(plan),
                "outcomes": selectors.outcome_counts(plan),
            },
            failed=outcomes[Outcome.FAILED],
        )
