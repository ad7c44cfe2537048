from collections import Counter
from collections.abc import Iterator

from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from entitlements.models import EntitlementReview
from entitlements.selectors.standing import stuck_redemptions, stuck_refunds
from entitlements.services.reconciling import pages_out_of_step, queue_out_of_step
from entitlements.services.reviews import ReviewedPage, review_page


class Command(OperatorCommand):
    """Prints `found` (entitlements whose enrollments are over), `looked_at`, `outcomes` (ended,
    released, frozen, unchanged), `errors`, `queued` (rows left); `stuck`: `redemptions` and
    `refunds` whose end nobody knows a day after they were asked for. Exits 1 for errors and for
    what is stuck."""

    help = (
        "Look at entitlements again whose enrollments or certificates changed: end them, or take"
        " them from the run. Also finds what no event told, and what is stuck."
    )
    scheduled = True
    report_columns = ("kind", "entitlement", "status", "since")

    def add_options(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--queued", action="store_true", help="Only what events queued.")
        add("--batch-size", type=arguments.positive_int, default=500, metavar="N")

    def run(self, run: CommandRun) -> Summary:
        by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
        only_queued = run.options["queued"]
        found = 0 if only_queued else self._find(run, by)
        outcomes: Counter[str] = Counter()
        errors = 0
        for page in run.batches(_reviewed(run, by)):
            outcomes += page.outcomes
            errors += page.errors
        stuck = {} if only_queued else self._stuck(run)
        return Summary(
            {
                "found": found,
                "looked_at": outcomes.total() + errors,
                "outcomes": dict(outcomes.most_common()),
                "errors": errors,
                "queued": EntitlementReview.objects.count(),
                "stuck": stuck,
            },
            failed=errors,
            stuck=sum(stuck.values()),
        )

    def _find(self, run: CommandRun, by: Attribution) -> int:
        found = 0
        for pairs in run.batches(pages_out_of_step(size=run.options["batch_size"])):
            found += len(pairs)
            if not run.dry_run:
                queue_out_of_step(pairs, by=by)
        return found

    def _stuck(self, run: CommandRun) -> dict[str, int]:
        """How many of each kind; the report names them."""
        counts = {}
        kinds = {"redemptions": stuck_redemptions(run.at), "refunds": stuck_refunds(run.at)}
        for kind, rows in kinds.items():
            named = rows.order_by("pk").values_list("entitlement__uuid", "status", "requested_at")
            counts[kind] = 0
            for uuid, status, since in named.iterator():
                counts[kind] += 1
                run.report.row(kind=kind, entitlement=uuid, status=status, since=since)
        return counts


def _reviewed(run: CommandRun, by: Attribution) -> Iterator[ReviewedPage]:
    """Each queued row is looked at once; nothing is in a dry run, which cannot lock."""
    last_id, size = 0, run.options["batch_size"]
    while not run.dry_run and (page := review_page(size=size, by=by, after=last_id)):
        yield page
        last_id = page.last_id
