from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from licenses.management import phases
from licenses.selectors import expiry


class Command(OperatorCommand):
    """Prints `learners` (due), `kept_licenses` (by reason), `unlinked`, `waiting` (learners whom
    the LMS did not unlink yet, of this run or an earlier one), `unknown_customers` (of the
    setting). Exits 1 while learners wait, and when a customer is unknown."""

    help = (
        "Unlink learners from customers that want it, once their licenses' plans ended long enough"
        " ago and were processed completely. `expire_subscriptions --with-unlink` does it too."
    )
    report_columns = phases.FORECAST_COLUMNS

    def run(self, run: CommandRun) -> Summary:
        phases.report_forecast(run, only=[expiry.UNLINK], counts_downgrades_as_done=False)
        unlinked = phases.unlink(run, after_downgrade=False)
        return Summary(unlinked.counters, failed=unlinked.failed, stuck=unlinked.stuck)
