from collections import Counter
from collections.abc import Iterator

from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from licenses import services
from licenses.services import RetiredPage, RetirementRule


class Command(OperatorCommand):
    """Prints `retired` (rule → rows), `waiting` (licenses that stay until their learners are
    unlinked) and `failed`."""

    help = (
        "Forget the learners of licenses whose plan ended, that were revoked, or that nobody"
        " activated, longer ago than the customer's agreement keeps data (90 days by default)."
        " A license stays while its learner is still to be unlinked."
    )
    scheduled = True
    report_columns = ("rule", "id", "outcome")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--batch-size",
            type=arguments.positive_int,
            default=1_000,
            metavar="N",
            help="How many rows a transaction changes. Default: 1000.",
        )

    def run(self, run: CommandRun) -> Summary:
        retired: Counter[str] = Counter()
        waiting = failed = 0
        for rule, pks in run.batches(_pages(run)):
            page = self._retire(run, rule, pks)
            retired[rule] += len(page.retired)
            waiting += len(page.waiting)
            failed += len(page.failed)
            for outcome, rows in (
                ("retired", page.retired),
                ("waiting", page.waiting),
                ("failed", page.failed),
            ):
                run.report.rows({"rule": rule, "id": pk, "outcome": outcome} for pk in rows)
        return Summary(
            {
                "retired": {rule: retired[rule] for rule in RetirementRule},
                "waiting": waiting,
                "failed": failed,
            },
            failed=failed,
        )

    def _retire(self, run: CommandRun, rule: RetirementRule, pks: list[int]) -> RetiredPage:
        if run.dry_run:
            return services.preview_page(rule=rule, pks=pks, at=run.at)
        by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
        return services.retire_page(rule=rule, pks=pks, by=by)


def _pages(run: CommandRun) -> Iterator[tuple[RetirementRule, list[int]]]:
    for rule in RetirementRule:
        size = run.options["batch_size"]
        for pks in services.retirement_pages(rule, size=size, at=run.at):
            yield rule, pks
