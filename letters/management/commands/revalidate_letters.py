from collections import Counter
from datetime import timedelta

from django.core.management import CommandError, CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from letters import selectors, services
from letters.enums import RunKind
from letters.models import LetterRevalidation
from programs import selectors as programs

PATIENCE = timedelta(days=1)


class Command(OperatorCommand):
    """Prints `opened` (rows that the sweep queued), `looked_at`, `outcomes` (issued, pending,
    lifted, reissued, suspended, waiting, held, unchanged, released), `errors`, `run` (what holds
    the held and pending ones; null when nothing is), `queued` (rows left); of all runs together
    `held` (queued learners) and `pending` (letters), which wait for a release. Exits 1 when this
    run held something, or when a learner was held a day ago already."""

    help = (
        "Look at letters again after something changed: issue, lift suspensions, suspend after"
        " the grace. With --sweep also find what no signal told. What a breaker stops waits for"
        " --release RUN."
    )
    scheduled = True

    def add_options(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--program", metavar="ID", help="Only this program: uuid or primary key.")
        add("--sweep", action="store_true", help="First queue all letters that are out of step.")
        add("--release", type=arguments.uuid, metavar="RUN", help="Let go of what this run holds.")
        add("--reason", default="", metavar="TEXT", help="Why it is released; needs --release.")
        add("--batch-size", type=arguments.positive_int, default=500, metavar="N")

    def run(self, run: CommandRun) -> Summary:
        by = Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
        if run.options["release"]:
            return self._release(run, by)
        identifier = run.options["program"]
        program_id = None if identifier is None else programs.program_by_identifier(identifier).pk
        opened, swept = self._sweep(run, program_id, by) if run.options["sweep"] else (0, [])
        held_by = services.new_run(RunKind.REVALIDATE, by=by)
        errors = 0

        def page() -> Counter[str]:
            nonlocal errors
            tally = services.revalidate_page(
                size=run.options["batch_size"], run=held_by, by=by, program_id=program_id
            )
            errors += tally.errors
            return tally.outcomes + Counter(errors=tally.errors)

        if run.dry_run:
            outcomes = services.preview_revalidation(by=by, program_id=program_id, swept=swept)
        else:
            outcomes = run.until_done(page)
        newly_held = outcomes["held"] + outcomes["pending"]
        return Summary(
            {
                "opened": opened,
                "looked_at": outcomes.total(),
                "outcomes": {k: n for k, n in outcomes.most_common() if k != "errors"},
                "errors": errors,
                "run": services.saved_uuid(held_by),
                "queued": selectors.queue_length(),
                **selectors.held_counts(),
            },
            failed=errors,
            stuck=newly_held or selectors.held_since(by.at - PATIENCE),
        )

    def _sweep(
        self, run: CommandRun, program_id: int | None, by: Attribution
    ) -> tuple[int, list[LetterRevalidation]]:
        """How many rows were opened; in a dry run also the rows, of which none is saved."""
        active = set(programs.active_program_ids())
        scope = sorted(active | selectors.programs_with_letters())
        opened = 0
        unsaved: list[LetterRevalidation] = []
        for each in run.batches(scope if program_id is None else [program_id]):
            with_new = each in active
            if run.dry_run:
                unsaved += services.preview_sweep(each, with_new=with_new, by=by)
            else:
                opened += services.sweep_program(each, with_new=with_new, by=by)
        return opened + len(unsaved), unsaved

    def _release(self, run: CommandRun, by: Attribution) -> Summary:
        if not by.reason.strip():
            raise CommandError("--release needs --reason.")
        if run.options["sweep"] or run.options["program"] is not None:
            raise CommandError("--release takes neither --sweep nor --program: it names a run.")
        held = services.run_by_uuid(run.options["release"])
        if run.dry_run:
            outcomes = services.preview_release(held, by=by)
        else:
            outcomes = services.release_run(run=held, by=by)
        errors = outcomes.pop("failed", 0)
        return Summary(
            {
                "opened": 0,
                "looked_at": outcomes.total() + errors,
                "outcomes": dict(outcomes.most_common()),
                "errors": errors,
                "run": str(held.uuid),
                "queued": selectors.queue_length(),
                **selectors.held_counts(),
            },
            failed=errors,
        )
