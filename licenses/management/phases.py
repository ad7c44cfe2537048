"""The two things that follow when plans end, as commands do them: downgrade, then unlink."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet
from django.dispatch import Signal
from django.utils import timezone

from credentials_portal.core import outbox
from credentials_portal.core.commands import CommandRun
from credentials_portal.core.history import Attribution
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import UNFINISHED
from licenses.enums import ExpiryVerdict, UnlinkVerdict
from licenses.models import Customer, LearnerUnlink, LicenseDowngrade, SubscriptionPlan
from licenses.selectors import expiry
from licenses.selectors.expiry import EVERYTHING, ExpiryScope, ForecastRow, Step
from licenses.services.expiring import DOWNGRADE, expire_plans
from licenses.services.unlinking import UNLINK, queue_unlinks
from licenses.signals import learner_unlinked

logger = logging.getLogger(__name__)

MESSAGES_AT_ONCE = 100
FORECAST_COLUMNS = tuple(ForecastRow.__dataclass_fields__)


@dataclass
class Phase:
    """What one phase did; `failed` is worth another run, `stuck` needs a person."""

    counters: dict[str, object]
    failed: int = 0
    stuck: int = 0


@dataclass
class Failures:
    """Items that raised something unexpected, which stops no other item."""

    count: int = field(default=0)

    @contextmanager
    def isolated(self, model: type[Model], pk: int) -> Iterator[None]:
        try:
            yield
        except Exception:
            logger.exception("expiry_item_failed", extra={"item": f"{model._meta.label}:{pk}"})
            self.count += 1


def downgrade(run: CommandRun, scope: ExpiryScope) -> Phase:
    """Process the plans that are due: queue what the LMS must do, deliver it, close them."""
    plans = expiry.plans_by_verdict(run.at, scope)
    due = plans[ExpiryVerdict.DUE]
    planned = expiry.steps(run.at, scope=scope, only=[expiry.DOWNGRADE])
    failures = Failures()
    if not run.dry_run:
        for plan_id in run.batches(due, total=len(due)):
            with failures.isolated(SubscriptionPlan, plan_id):
                expire_plans(plan_ids=[plan_id], by=_by(run), scope=scope)
        _deliver(run, DOWNGRADE)
    processed = SubscriptionPlan.objects.filter(pk__in=due, expiration_processed=True).count()
    left = 0 if run.dry_run else LicenseDowngrade.objects.filter(finished_at=None).count()
    return Phase(
        {
            "plans": {verdict.value: len(found) for verdict, found in plans.items()},
            "licenses": _licenses(planned).get(ExpiryVerdict.DUE, 0),
            "processed": len(due) if run.dry_run else processed,
            "open_downgrades": left,
        },
        failed=left + failures.count,
        stuck=len(plans[ExpiryVerdict.STUCK_RENEWAL]),
    )


def unlink(run: CommandRun, scope: ExpiryScope = EVERYTHING, *, after_downgrade: bool) -> Phase:
    """Unlink the learners who are due, customer by customer.

    `after_downgrade`: a dry run takes for done what the phase before would do.
    """
    planned = expiry.steps(
        run.at,
        scope=scope,
        only=[expiry.UNLINK],
        counts_downgrades_as_done=run.dry_run and after_downgrade,
    )
    learners = {s.customer_id: s.learners for s in planned if s.verdict == UnlinkVerdict.UNLINK}
    failures = Failures()
    unlinked = sum(learners.values()) if run.dry_run else 0
    if not run.dry_run:
        customers = Customer.objects.in_bulk(learners)
        for customer_id in run.batches(learners, total=len(learners)):
            with failures.isolated(Customer, customer_id):
                queue_unlinks(customer=customers[customer_id], by=_by(run))
        with _counted(learner_unlinked) as announced:
            _deliver(run, UNLINK)
        unlinked = announced.total()
    left = 0 if run.dry_run else LearnerUnlink.objects.filter(given_up_at=None).count()
    unknown = expiry.unknown_customers_in_settings()
    if unknown:
        logger.error("unknown_customers_to_unlink", extra={"customers": unknown})
    return Phase(
        {
            "learners": sum(learners.values()),
            "kept_licenses": {
                verdict: count
                for verdict, count in sorted(_licenses(planned).items())
                if verdict != UnlinkVerdict.UNLINK
            },
            "unlinked": unlinked,
            "waiting": left,
            "unknown_customers": unknown,
        },
        failed=left + failures.count,
        stuck=len(unknown),
    )


def report_forecast(run: CommandRun, **what: Any) -> None:
    """Write the forecast's rows, where a report was asked for."""
    if run.options["output"]:
        run.report.rows(vars(row) for row in expiry.forecast(run.at, **what))


def _deliver(run: CommandRun, kind: str) -> None:
    """Deliver all that waits of a kind, and what a refused page was split into meanwhile."""
    outbox.wake([kind], at=run.at)
    clock = _clock(run)
    for page in run.batches(_waiting(kind)):
        outbox.deliver_now(page, clock=clock)


def _waiting(kind: str) -> Iterator[list[int]]:
    last = 0
    waiting: QuerySet[OutboxMessage] = OutboxMessage.objects.filter(
        kind=kind, status__in=UNFINISHED
    )
    while page := list(
        waiting.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:MESSAGES_AT_ONCE]
    ):
        yield page
        last = page[-1]


def _clock(run: CommandRun) -> Callable[[], datetime]:
    """What is delivered is judged again, at the run's instant as it goes on."""
    began = timezone.now()
    return lambda: run.at + (timezone.now() - began)


@contextmanager
def _counted(signal: Signal) -> Iterator[Counter[str]]:
    """How many items this process announces within it."""
    counter: Counter[str] = Counter()

    def count(items: tuple[Any, ...], **_kwargs: Any) -> None:
        counter["items"] += len(items)

    signal.connect(count, weak=False)
    try:
        yield counter
    finally:
        signal.disconnect(count)


def _licenses(steps: list[Step]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for step in steps:
        counts[step.verdict] += step.licenses
    return counts


def _by(run: CommandRun) -> Attribution:
    return Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
