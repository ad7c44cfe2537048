from collections import Counter
from datetime import timedelta

import structlog
from django.core.management import CommandParser
from django.db import DatabaseError

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from licenses import selectors, services
from licenses.models import SubscriptionPlanRenewal

logger = structlog.get_logger(__name__)

UNEXPECTED = "unexpected_error"


class Command(OperatorCommand):
    """Prints `due`, `processed`, `failed`, `reasons` (code → renewals that failed), `stuck`
    (overdue by more than two days, and left alone: they are processed by hand, or failed)."""

    help = (
        "Process the renewals of subscription plans that take effect within the window, and those"
        " that are overdue. One that fails stops nobody."
    )
    scheduled = True
    dry_run_takes_value = True
    report_columns = ("renewal", "plan", "effective_date", "outcome", "reason")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--processing-window-length-hours",
            type=arguments.count,
            default=12,
            metavar="HOURS",
            help="How long before they take effect renewals are processed. Default: 12.",
        )

    def run(self, run: CommandRun) -> Summary:
        window = timedelta(hours=run.options["processing_window_length_hours"])
        due = selectors.renewals_to_process(run.at, window=window)
        renewals = list(due.select_related("prior_subscription_plan__customer_agreement"))
        outcomes: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        failed = []
        for renewal in run.batches(renewals, total=len(renewals)):
            reason = self._process(run, renewal)
            outcome = "failed" if reason else "would_process" if run.dry_run else "processed"
            outcomes[outcome] += 1
            if reason:
                reasons[reason] += 1
                failed.append(renewal.pk)
            run.report.row(
                renewal=renewal.pk,
                plan=renewal.prior_subscription_plan.title,
                effective_date=renewal.effective_date,
                outcome=outcome,
                reason=reason,
            )
        overdue = selectors.stuck_renewals(run.at)
        if run.dry_run:
            overdue = overdue.filter(exempt_from_batch_processing=True)
        stuck = overdue.exclude(pk__in=failed).count()
        return Summary(
            {
                "due": len(renewals),
                "processed": outcomes["processed"] + outcomes["would_process"],
                "failed": outcomes["failed"],
                "reasons": dict(reasons.most_common()),
                "stuck": stuck,
            },
            failed=outcomes["failed"],
            stuck=stuck,
        )

    def _process(self, run: CommandRun, renewal: SubscriptionPlanRenewal) -> str:
        """Why it failed; empty: it did not."""
        by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
        try:
            if run.dry_run:
                services.require_processable(renewal)
            else:
                services.process_renewal(renewal_id=renewal.pk, by=by)
        except services.RenewalRefusedError as refusal:
            return refusal.reason
        except DomainError as refusal:
            return refusal.code
        except DatabaseError:
            logger.exception("renewal_not_processed", renewal_id=renewal.pk)
            return UNEXPECTED
        return ""
