"""Courses that the demo's learner bought, each at another point of its life.

One waits for the choice of a session; one is in use, and may be changed; one ends soon; the time
to change the fourth is over, and nobody has marked it yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution
from entitlements.enums import EntitlementMode
from entitlements.services.dumps import Outcome, Row
from entitlements.services.importing import RUN_COLUMN, EntitlementImport
from programs.selectors import RunOffer, run_offers
from programs.services import (
    EnrollmentRecord,
    RunRecord,
    record_course_enrollments,
    record_course_runs,
)

DAY = timedelta(days=1)
LENGTH, LATE_ENROLLMENT, JOINED = 70 * DAY, 28 * DAY, 20 * DAY


@dataclass(frozen=True)
class Bought:
    """A course, how many days ago it was bought, when its sessions start, and which one is used."""

    code: str
    title: str
    days_ago: int
    sessions: tuple[int, ...]
    used: int | None = None

    @property
    def course_key(self) -> str:
        return f"NBx+{self.code}"

    def run_key(self, days: int) -> str:
        return f"course-v1:{self.course_key}+S{self.sessions.index(days) + 1}"

    def runs(self, today: datetime) -> list[RunRecord]:
        return [
            RunRecord(
                course_key=self.course_key,
                course_title=self.title,
                key=self.run_key(days),
                start=today + days * DAY,
                end=today + days * DAY + LENGTH,
                enrollment_end=today + days * DAY + LATE_ENROLLMENT,
            )
            for days in self.sessions
        ]


BOUGHT = (
    Bought("NEG", "Negotiation", 10, sessions=(21, 140)),
    Bought("WRI", "Writing for Engineers", 20, sessions=(-3, 120), used=-3),
    Bought("SPK", "Speaking in Public", 718, sessions=(5, 90)),
    Bought("ETH", "Ethics of Engineering", 60, sessions=(-45,), used=-45),
)


def sell_courses(learner: User, *, by: Attribution) -> None:
    """Import what the learner bought, with the sessions that are offered.

    Raises `ConflictError` where the database does not take it.
    """
    today = by.at.replace(hour=0, minute=0, second=0, microsecond=0)
    runs = [run for one in BOUGHT for run in one.runs(today)]
    record_course_runs(runs, by=by)
    offers = run_offers([run.key for run in runs])
    enrollments = [
        EnrollmentRecord(
            learner.pk,
            offers[one.run_key(one.used)].course_run_id,
            mode=EntitlementMode.VERIFIED,
        )
        for one in BOUGHT
        if one.used is not None
    ]
    record_course_enrollments(enrollments, by=replace(by, at=today - JOINED))
    rows = [
        Row(number, _cells(one, offers, learner, today)) for number, one in enumerate(BOUGHT, 1)
    ]
    for result in EntitlementImport(by=by).bring(rows):
        if result.outcome != Outcome.IMPORTED:
            raise ConflictError(f"The demo does not fit into this database ({result.reason}).")


def entitlement_uuid(one: Bought) -> UUID:
    """The same in every demo."""
    return uuid5(NAMESPACE_URL, f"demo:entitlement:{one.code}")


def _cells(
    one: Bought, offers: Mapping[str, RunOffer], learner: User, today: datetime
) -> dict[str, str | None]:
    """As the old service's table has it."""
    return {
        "uuid": str(entitlement_uuid(one)),
        "username": learner.username,
        "course_uuid": str(offers[one.run_key(one.sessions[0])].course_uuid),
        "mode": EntitlementMode.VERIFIED,
        "order_number": f"NBX-{one.code}-1",
        "created": (today - one.days_ago * DAY).isoformat(),
        RUN_COLUMN: None if one.used is None else one.run_key(one.used),
    }
