from django.core.management import CommandParser

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from licenses.management import phases
from licenses.models import Customer
from licenses.selectors import expiry
from licenses.selectors.customers import customer_by_identifier


class Command(OperatorCommand):
    """Prints for each customer, by slug, `downgrade` and `unlink`: licenses by what becomes of
    them. --output names who they are."""

    help = (
        "Tell who loses what by --as-of, which may lie in the future, if the plans stay as they"
        " are. Only reads."
    )
    job = False
    report_columns = phases.FORECAST_COLUMNS

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", metavar="ID", help="Only this one: slug or uuid.")

    def run(self, run: CommandRun) -> Summary:
        named = run.options["customer"]
        customer_id = None if named is None else customer_by_identifier(named).pk
        phases.report_forecast(run, customer_id=customer_id)
        steps = expiry.steps(run.at, customer_id=customer_id)
        slugs = dict(
            Customer.objects.filter(pk__in={step.customer_id for step in steps}).values_list(
                "pk", "slug"
            )
        )
        customers: dict[str, dict[str, dict[str, int]]] = {}
        for step in steps:
            by_step = customers.setdefault(slugs[step.customer_id], {})
            by_step.setdefault(step.step, {})[step.verdict] = step.licenses
        return Summary({"as_of": run.at.isoformat(), "customers": customers})
