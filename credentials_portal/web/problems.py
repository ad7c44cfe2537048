"""What needs a person, in words, and where to act: the verdict of the admin's start page."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.core.schedule import PATIENCE, JobStanding, ScheduledJob

if TYPE_CHECKING:
    from credentials_portal.core.models import OutboxBreaker, OutboxHold
    from credentials_portal.core.outbox import OutboxStanding
    from entitlements.selectors.overview import EntitlementsStanding
    from letters.selectors import QueueStanding, RunsStanding
    from licenses.selectors.overview import LicensesStanding
    from programs.selectors.overview import CreditStanding
    from subsidy_requests.selectors.overview import RequestsStanding


@dataclass(frozen=True)
class Problem:
    words: str
    action: str
    address: str


def problems_of_jobs(jobs: Iterable[ScheduledJob]) -> Iterator[Problem]:
    """Late jobs share one cause, as those that never ran do; each that failed has its own."""
    by_standing: dict[JobStanding, list[ScheduledJob]] = {standing: [] for standing in JobStanding}
    for job in jobs:
        by_standing[job.standing].append(job)
    if late := by_standing[JobStanding.LATE]:
        words = ngettext(
            "A scheduled job is late: %(jobs)s. Does beat, or cron, still run?",
            "%(number)d scheduled jobs are late: %(jobs)s. Does beat, or cron, still run?",
            len(late),
        )
        yield _problem_of_several(words, late)
    if new := by_standing[JobStanding.NEVER]:
        words = ngettext(
            "A scheduled job has never run: %(jobs)s. Start beat, or cron.",
            "%(number)d scheduled jobs have never run: %(jobs)s. Start beat, or cron.",
            len(new),
        )
        yield _problem_of_several(words, new)
    for job in by_standing[JobStanding.FAILED]:
        words = _("The job %(job)s did not succeed: %(outcome)s.")
        outcome = job.outcome.label if job.outcome else ""
        address = reverse("admin:core_jobrun_change", args=[job.run_id])
        yield Problem(words % {"job": job.line, "outcome": outcome}, _("See its last run"), address)


def problems_of_outbox(standing: "OutboxStanding", *, at: datetime) -> Iterator[Problem]:
    address = reverse("admin:core_outboxmessage_changelist")
    for number, status, words in (
        (
            standing.dead,
            OutboxStatus.DEAD,
            _("Messages that the portal gave up on: %s. Somebody must decide."),
        ),
        (
            standing.uncertain,
            OutboxStatus.UNCERTAIN,
            _("Messages of which nobody knows whether they arrived: %s. Somebody must find out."),
        ),
    ):
        if number:
            yield Problem(words % number, _("Settle them"), f"{address}?status__exact={status}")
    if standing.due_since and at - standing.due_since > PATIENCE:
        words = _("A message has been due for %s: nobody delivers, or not fast enough.")
        waited = timesince(standing.due_since, at)
        yield Problem(words % waited, _("See the outbox"), address)


def problems_of_holds(holds: Iterable["OutboxHold"]) -> Iterator[Problem]:
    address = reverse("admin:core_outboxhold_changelist")
    for hold in holds:
        words = _("Delivery is on hold, of %(kind)s: %(reason)s")
        told = words % {"kind": hold, "reason": hold.reason}
        yield Problem(told, _("Let it go on"), address)


def problems_of_breakers(breakers: Iterable["OutboxBreaker"]) -> Iterator[Problem]:
    if names := ", ".join(map(str, breakers)):
        address = reverse("admin:core_outboxbreaker_changelist")
        words = _("What messages are sent to does not answer: %s.")
        yield Problem(words % names, _("See the breakers"), address)


def problems_of_runs(runs: "RunsStanding") -> Iterator[Problem]:
    for run in runs.holding:
        words = _("A breaker stopped a run over letters, which waits for a release.")
        yield Problem(words, _("Look at what it holds"), _page_of_run(run.pk))
    for run in runs.applied_in_part:
        words = _("A validation plan was applied in part.")
        yield Problem(words, _("Go on, or roll it back"), _page_of_run(run.pk))


def problems_of_queue(queue: "QueueStanding") -> Iterator[Problem]:
    """The machine suspends them by itself, but who answers for letters wants to know before."""
    if queue.waiting:
        words = _("Letters that fail their checks, and are shown until their grace ends: %s.")
        address = reverse("admin:letters_letterrevalidation_changelist")
        yield Problem(words % queue.waiting, _("Look at them"), f"{address}?waits_for=grace")


def problems_of_renewals(standing: "LicensesStanding") -> Iterator[Problem]:
    for renewal in standing.stuck:
        words = _("The renewal of the plan “%s” should have been processed, and was not.")
        address = reverse("admin:licenses_subscriptionplanrenewal_change", args=[renewal.pk])
        yield Problem(words % renewal.prior_subscription_plan, _("Look at it"), address)


def problems_of_entitlements(standing: "EntitlementsStanding") -> Iterator[Problem]:
    refunds = reverse("admin:entitlements_courseentitlementrefund_changelist")
    uses = reverse("admin:entitlements_courseentitlementredemption_changelist")
    for number, words, action, address in (
        (
            standing.to_review,
            _("Refunds of which nobody knows whether they were given: %s. Somebody must find out."),
            _("Settle them"),
            f"{refunds}?waits_for=review",
        ),
        (
            standing.to_pay,
            _("Refunds to be paid by hand: %s."),
            _("Pay them"),
            f"{refunds}?waits_for=payment",
        ),
        (
            standing.unanswered,
            _("Refunds that nobody has answered for a day: %s."),
            _("Look at them"),
            f"{refunds}?waits_for=answer",
        ),
        (
            standing.stuck_uses,
            _("Entitlements that the LMS has not let learners use for a day: %s."),
            _("Look at them"),
            f"{uses}?status__exact=pending",
        ),
    ):
        if number:
            yield Problem(words % number, action, address)


def problems_of_requests(standing: "RequestsStanding") -> Iterator[Problem]:
    for number, name, words in (
        (
            standing.failed_licenses,
            "licenserequest",
            _("Approved requests for which no license could be granted: %s."),
        ),
        (
            standing.failed_codes,
            "couponcoderequest",
            _("Approved requests for which no code could be granted: %s."),
        ),
    ):
        if number:
            address = reverse(f"admin:subsidy_requests_{name}_changelist")
            yield Problem(words % number, _("Try them again"), f"{address}?state__exact=error")


def problems_of_credit(standing: "CreditStanding") -> Iterator[Problem]:
    requests = reverse("admin:programs_usercreditpathway_changelist")
    for number, needs, words in (
        (
            standing.failed,
            "failed",
            _("Requests for credit that could not be sent, and that nobody made again: %s."),
        ),
        (
            standing.unclear,
            "unclear",
            _(
                "Requests for credit of which nobody knows whether the institution got them: %s."
                " Somebody must find out."
            ),
        ),
    ):
        if number:
            yield Problem(words % number, _("Look at them"), f"{requests}?needs={needs}")


def _problem_of_several(words: str, jobs: list[ScheduledJob]) -> Problem:
    told = {"number": len(jobs), "jobs": ", ".join(job.line for job in jobs)}
    return Problem(words % told, _("See the runs of jobs"), reverse("admin:core_jobrun_changelist"))


def _page_of_run(run_id: int) -> str:
    return reverse("admin:letters_lettervalidationrun_change", args=[run_id])
