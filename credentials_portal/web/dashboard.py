"""The admin's start page: is everything all right? As far as the reader may look."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxBreaker, OutboxHold
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.core.schedule import ScheduledJob, jobs_without_records, scheduled_jobs
from credentials_portal.web.charts import Chart, chart_of
from credentials_portal.web.problems import (
    Problem,
    problems_of_breakers,
    problems_of_credit,
    problems_of_entitlements,
    problems_of_holds,
    problems_of_jobs,
    problems_of_outbox,
    problems_of_queue,
    problems_of_renewals,
    problems_of_requests,
    problems_of_runs,
)
from entitlements.selectors.overview import EntitlementsStanding, entitlements_standing
from letters import selectors as letters
from letters.selectors import LettersStanding, QueueStanding, RunsStanding
from licenses.selectors.overview import LicensesStanding, licenses_standing
from programs.selectors.overview import CreditStanding, credit_standing
from subsidy_requests.selectors.overview import RequestsStanding, requests_standing

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

T = TypeVar("T")

DAYS = 30
# Of runs, plans, holds and breakers: whoever has more of them goes to their list.
AT_MOST = 5

CHANGES = {"issued": _("Issued"), "suspended": _("Suspended"), "revoked": _("Revoked")}
DELIVERIES = {
    OutboxStatus.DONE.value: _("Delivered"),
    OutboxStatus.SKIPPED.value: _("No longer wanted"),
    OutboxStatus.FAILED.value: _("Refused for good"),
}


@dataclass(frozen=True)
class StartPage:
    """How everything stands `at` an instant. None: the reader may not look at it."""

    at: datetime
    jobs: list[ScheduledJob] | None
    outbox: outbox.OutboxStanding | None
    deliveries: Chart | None
    holds: list[OutboxHold] | None
    breakers: list[OutboxBreaker] | None
    letters: LettersStanding | None
    changes: Chart | None
    queue: QueueStanding | None
    runs: RunsStanding | None
    licenses: LicensesStanding | None
    entitlements: EntitlementsStanding | None
    requests: RequestsStanding | None
    credit: CreditStanding | None

    @property
    def shows_outbox(self) -> bool:
        return not (self.outbox is None and self.holds is None and self.breakers is None)

    @property
    def shows_letters(self) -> bool:
        return not (self.letters is None and self.queue is None and self.runs is None)

    @property
    def shows_anything(self) -> bool:
        return bool(self.parts)

    @property
    def parts(self) -> list[str]:
        """What was looked at, in words."""
        shown = (
            (self.shows_letters, _("letters")),
            (self.licenses is not None, _("licenses")),
            (self.entitlements is not None, _("entitlements")),
            (self.requests is not None, _("requests")),
            (self.credit is not None, _("credit requests")),
            (self.shows_outbox, _("the outbox")),
            (self.jobs is not None, _("scheduled jobs")),
        )
        return [str(name) for is_shown, name in shown if is_shown]

    @property
    def jobs_without_records(self) -> list[str]:
        return jobs_without_records()

    def problems(self) -> Iterator[Problem]:
        """What needs a person, the most pressing first."""
        if self.runs:
            yield from problems_of_runs(self.runs)
        if self.queue:
            yield from problems_of_queue(self.queue)
        if self.licenses:
            yield from problems_of_renewals(self.licenses)
        if self.entitlements:
            yield from problems_of_entitlements(self.entitlements)
        if self.requests:
            yield from problems_of_requests(self.requests)
        if self.credit:
            yield from problems_of_credit(self.credit)
        if self.outbox:
            yield from problems_of_outbox(self.outbox, at=self.at)
        yield from problems_of_holds(self.holds or [])
        yield from problems_of_breakers(self.breakers or [])
        yield from problems_of_jobs(self.jobs or [])


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What unfold calls (`DASHBOARD_CALLBACK`)."""
    page = start_page(cast("User", request.user), at=timezone.now())
    return context | {"title": _("Start page"), "page": page, "problems": list(page.problems())}


def start_page(user: "User", *, at: datetime) -> StartPage:
    """A fixed number of statements, whatever there is."""

    def if_may_view(model: str, read: Callable[[], T]) -> T | None:
        app, name = model.split(".")
        return read() if user.has_perm(f"{app}.view_{name}") else None

    failing = OutboxBreaker.objects.filter(open_until__isnull=False).order_by("kind", "scope")
    return StartPage(
        at=at,
        jobs=if_may_view("core.jobrun", lambda: scheduled_jobs(at)),
        outbox=if_may_view("core.outboxmessage", lambda: outbox.outbox_standing(at)),
        deliveries=if_may_view(
            "core.outboxmessage",
            lambda: chart_of(outbox.deliveries_per_day(at=at, days=DAYS), DELIVERIES),
        ),
        holds=if_may_view(
            "core.outboxhold", lambda: list(OutboxHold.objects.order_by("held_at")[:AT_MOST])
        ),
        breakers=if_may_view("core.outboxbreaker", lambda: list(failing[:AT_MOST])),
        letters=if_may_view("letters.programletter", letters.letters_standing),
        changes=if_may_view(
            "letters.programletter",
            lambda: chart_of(letters.changes_per_day(at=at, days=DAYS), CHANGES),
        ),
        queue=if_may_view("letters.letterrevalidation", lambda: letters.queue_standing(at)),
        runs=if_may_view(
            "letters.lettervalidationrun", lambda: letters.runs_standing(at_most=AT_MOST)
        ),
        licenses=if_may_view(
            "licenses.subscriptionplan", lambda: licenses_standing(at, at_most=AT_MOST)
        ),
        entitlements=if_may_view(
            "entitlements.courseentitlement", lambda: entitlements_standing(at)
        ),
        requests=if_may_view(
            "subsidy_requests.licenserequest", lambda: requests_standing(at, at_most=AT_MOST)
        ),
        credit=if_may_view("programs.usercreditpathway", lambda: credit_standing(at)),
    )
