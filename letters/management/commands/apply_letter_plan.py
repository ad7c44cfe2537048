from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from letters import selectors, services
from letters.enums import Outcome, PlannedAction
from letters.models import LetterValidationRun


class Command(OperatorCommand):
    """Prints `run`, `changed`, `skipped`, `failed` (of this call), `told` (holders for whom a mail
    about it was queued by this call; in a dry run how many there would be at most), `state_counts`
    (of the plan's letters now), `outcomes` (of the plan, over all calls)."""

    help = (
        "Do what a plan of `validate_letters` says, judging every letter again under its lock."
        " Running it again goes on where it stopped, and changes nothing once it is done. Holders"
        " are told by mail only with --notify."
    )
    withdraws = True
    default_max_percent = services.MAX_PERCENT
    report_columns = selectors.PLAN_COLUMNS

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("plan", type=arguments.uuid, metavar="RUN")
        parser.add_argument("--only", metavar="CHECK", help="Only letters that fail this check.")
        parser.add_argument(
            "--notify",
            action="store_true",
            help=(
                "Tell the holders of the letters that are suspended, if they could have seen them."
                " Give it again when you run the command again."
            ),
        )
        parser.add_argument("--batch-size", type=arguments.positive_int, default=1_000, metavar="N")

    def run(self, run: CommandRun) -> Summary:
        plan = services.run_by_uuid(run.options["plan"])
        by = Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
        only, size = run.options["only"], run.options["batch_size"]
        notify = run.options["notify"]
        services.require_applicable(plan, only)
        if run.cap:
            services.check_cap(plan, cap=run.cap, only=only)
        if run.dry_run:
            outcomes = services.preview_apply(plan, at=run.at, only=only)
            told = self._to_be_told(plan, only) if notify else 0
        else:
            told_now = plan.results.filter(letter__told_withdrawn_at=run.at)
            told_before = told_now.count()
            plan = services.approve_plan(plan, by=by, only=only)
            outcomes = run.until_done(
                lambda: services.apply_page(run=plan, size=size, by=by, only=only, notify=notify)
            )
            if not run.was_interrupted:
                services.finish_apply(plan)
            told = told_now.count() - told_before if notify else 0
        if run.options["output"]:
            run.report.rows(selectors.plan_rows(plan))
        return Summary(
            {
                "run": str(plan.uuid),
                "changed": outcomes[Outcome.CHANGED],
                "skipped": outcomes[Outcome.SKIPPED],
                "failed": outcomes[Outcome.FAILED],
                "told": told,
                "state_counts": selectors.state_counts(plan),
                "outcomes": selectors.outcome_counts(plan),
            },
            failed=outcomes[Outcome.FAILED],
        )

    def _to_be_told(self, plan: LetterValidationRun, only: str | None) -> int:
        return (
            services.left_to_apply(plan, only)
            .filter(planned_action=PlannedAction.SUSPEND, letter__first_visible_at__isnull=False)
            .count()
        )
