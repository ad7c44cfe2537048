from collections import Counter

from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from licenses.selectors.customers import customer_by_identifier
from licenses.selectors.plans import plan_by_uuid
from subsidy_requests.services.retrying import (
    RetryScope,
    exhausted,
    failed_grants,
    failed_unlinks,
    retry_grants,
    retry_unlinks,
)


class Command(OperatorCommand):
    """Prints `due` requests, how many were `fulfilled` and `failed` once more, `refused` (reason →
    requests), `exhausted` (tried so often that a person must decide), and of declined requests
    whose learners could not be unlinked `unlinks_due` and `unlinks_failed`."""

    help = (
        "Try again to grant requests that were approved and failed, the oldest first, and to unlink"
        " learners whose requests were declined. Learners who get something are told."
    )
    scheduled = True
    report_columns = ("type", "uuid", "outcome")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", metavar="ID", help="Only this one: slug or uuid.")
        parser.add_argument(
            "--plan", type=arguments.uuid, metavar="UUID", help="Only requests approved for it."
        )
        parser.add_argument(
            "--max-attempts",
            type=arguments.positive_int,
            default=5,
            metavar="N",
            help="Leave what was tried so often to a person. Default: 5.",
        )

    def run(self, run: CommandRun) -> Summary:
        named, plan_uuid = run.options["customer"], run.options["plan"]
        scope = RetryScope(
            max_attempts=run.options["max_attempts"],
            customer=customer_by_identifier(named) if named else None,
            plan=plan_by_uuid(plan_uuid) if plan_uuid else None,
        )
        by = Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
        counts, refused = _retry_grants(run, scope, by)
        unlinks_due, unlinks_failed = _retry_unlinks(run, scope, by)
        stuck = exhausted(scope)
        return Summary(
            {
                "due": counts["due"],
                "fulfilled": counts["fulfilled"],
                "failed": counts["failed"],
                "refused": dict(sorted(refused.items())),
                "exhausted": stuck,
                "unlinks_due": unlinks_due,
                "unlinks_failed": unlinks_failed,
            },
            failed=counts["failed"] + refused.total() + unlinks_failed,
            stuck=stuck,
        )


def _retry_grants(
    run: CommandRun, scope: RetryScope, by: Attribution
) -> tuple[Counter[str], Counter[str]]:
    counts, refused = Counter[str](), Counter[str]()
    for group in run.batches(failed_grants(scope)):
        counts["due"] += len(group.uuids)
        if run.dry_run:
            outcomes = dict.fromkeys(group.uuids, "due")
        else:
            tried = retry_grants(group, by=by)
            counts["fulfilled"] += len(tried.fulfilled)
            counts["failed"] += len(tried.failed)
            refused.update(tried.refused.values())
            outcomes = (
                dict.fromkeys(tried.fulfilled, "fulfilled")
                | dict.fromkeys(tried.failed, "failed")
                | dict(tried.refused)
            )
        run.report.rows(
            {"type": group.kind, "uuid": uuid, "outcome": outcome}
            for uuid, outcome in outcomes.items()
        )
    return counts, refused


def _retry_unlinks(run: CommandRun, scope: RetryScope, by: Attribution) -> tuple[int, int]:
    due = failed = 0
    for kind, customer, pks in run.batches(failed_unlinks(scope)):
        due += len(pks)
        failed += 0 if run.dry_run else retry_unlinks(kind, customer, pks, by=by)
    return due, failed
