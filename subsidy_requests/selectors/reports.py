"""What customers and staff should know of all requests together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Lower

from credentials_portal.core.sql import Fragment
from licenses.selectors.seats import seats_to_activate
from licenses.selectors.standing import free_seats
from programs.selectors.offers import course_enrollments
from subsidy_requests.enums import DecisionSource, RequestState, SubsidyType
from subsidy_requests.models import REQUESTS_OF, CouponCode, LicenseRequest
from subsidy_requests.selectors.superseded import superseded

if TYPE_CHECKING:
    from licenses.models import Customer

AGES = (7, 30, 90)
"""Days by which waiting requests are sorted; the rest is older."""
OLDER = "older"

WAITING, FAILED = Q(state=RequestState.REQUESTED), Q(state=RequestState.ERROR)


@dataclass(frozen=True)
class Period:
    """From `begins` until, but not at, `ends`; requests are of the one in which they were asked."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class Demand:
    """What learners of a customer wait for, against what it could give them now.

    `waiting` for a decision, since `oldest_at`, `by_age` in days; `failed`: approved in
    vain, and not asked for again. `free` seats, or codes.
    """

    customer_id: int
    slug: str
    kind: SubsidyType
    waiting: int
    failed: int
    free: int
    oldest_at: datetime | None
    by_age: Mapping[str, int]

    @property
    def unmet(self) -> int:
        return max(0, self.waiting + self.failed - self.free)


@dataclass(frozen=True)
class StateCount:
    """How many requests are in a state, and after how many hours half of them had got there."""

    slug: str
    kind: SubsidyType
    state: RequestState
    count: int
    median_hours: float | None


@dataclass(frozen=True)
class CourseDemand:
    """How many wait for a course; an empty `course_id` is any of the customer's."""

    slug: str
    kind: SubsidyType
    course_id: str
    count: int


@dataclass(frozen=True)
class DeclineReason:
    """How many requests were declined through this and with these words."""

    slug: str
    kind: SubsidyType
    source: DecisionSource
    reason: str
    count: int


@dataclass(frozen=True)
class UsedOtherwise:
    """How many asked for one course and are, since it was granted, in the other one alone."""

    slug: str
    kind: SubsidyType
    requested: str
    used: str
    count: int


def demands(
    *, at: datetime, customer: "Customer | None" = None, asked: Period | None = None
) -> list[Demand]:
    """Of each customer that learners wait for, in four statements."""
    found = [row for kind in SubsidyType for row in _waiting(kind, at, customer, asked)]
    ids = {row["customer_id"] for row in found}
    free = {
        SubsidyType.LICENSE: free_seats(ids, at=at),
        SubsidyType.COUPON: _free_codes(ids, at=at),
    }
    return [
        Demand(
            customer_id=row["customer_id"],
            slug=row["customer__slug"],
            kind=row["kind"],
            waiting=row["waiting"],
            failed=row["failed"],
            free=free[row["kind"]].get(row["customer_id"], 0),
            oldest_at=row["oldest_at"],
            by_age=_by_age(row),
        )
        for row in found
    ]


def state_counts(
    *, customer: "Customer | None" = None, asked: Period | None = None
) -> list[StateCount]:
    """All requests by customer and state, in two statements."""
    found: list[StateCount] = []
    for kind in SubsidyType:
        columns = ("customer__slug", "state", "created", "state_changed_at")
        requests = Fragment.of(_requests(kind, customer, asked).order_by().values(*columns))
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                SELECT slug, state, count(*), percentile_cont(0.5) WITHIN GROUP (
                    ORDER BY extract(epoch FROM state_changed_at - created) / 3600)
                FROM ({requests.renamed("slug", "state", "created", "state_changed_at").sql}) AS request
                GROUP BY 1, 2 ORDER BY 1, 2
                """,  # noqa: S608 - composed of constants; every value is a parameter
                requests.params,
            )
            for slug, state, count, hours in cursor.fetchall():
                median = None if state == RequestState.REQUESTED else hours
                found.append(StateCount(slug, kind, RequestState(state), count, median))
    return found


def course_demands(*, customer: "Customer | None" = None) -> list[CourseDemand]:
    """For which courses learners wait, the most wanted first, in two statements."""
    found: list[CourseDemand] = []
    for kind in SubsidyType:
        waiting = _requests(kind, customer).filter(WAITING).order_by()
        rows = waiting.values_list("customer__slug", "course_id").annotate(count=Count("pk"))
        found.extend(CourseDemand(slug, kind, course_id, n) for slug, course_id, n in rows)
    return sorted(found, key=lambda row: (row.slug, -row.count, row.kind, row.course_id))


def decline_reasons(
    *, customer: "Customer | None" = None, asked: Period | None = None
) -> list[DeclineReason]:
    """Why requests were declined, the most frequent reasons first, in two statements."""
    found: list[DeclineReason] = []
    for kind in SubsidyType:
        declined = _requests(kind, customer, asked).filter(state=RequestState.DECLINED).order_by()
        rows = declined.values_list("customer__slug", "decision_source", "decline_reason")
        found.extend(
            DeclineReason(slug, kind, DecisionSource(source), reason, count)
            for slug, source, reason, count in rows.annotate(count=Count("pk"))
        )
    return sorted(found, key=lambda row: (row.slug, -row.count, row.kind, row.reason))


def unused_grants(
    *,
    at: datetime,
    days: int,
    customer: "Customer | None" = None,
    asked: Period | None = None,
) -> QuerySet[LicenseRequest]:
    """Requests whose learners have not activated the license that they got so many days ago.

    Whether a code was used only its shop knows.
    """
    theirs = Q(user_email=Lower(OuterRef("user__email")))
    theirs |= Q(lms_user_id=OuterRef("user__lms_user_id"))
    waiting = seats_to_activate().filter(theirs, pk=OuterRef("license_id"))
    granted = _requests(SubsidyType.LICENSE, customer, asked).filter(
        Exists(waiting),
        state=RequestState.FULFILLED,
        state_changed_at__lte=at - timedelta(days=days),
    )
    return granted.select_related("user", "customer").order_by("state_changed_at", "pk")


def used_otherwise(
    *, customer: "Customer | None" = None, asked: Period | None = None
) -> list[UsedOtherwise]:
    """For which other courses learners used what they got, as far as their enrollments tell.

    Two statements. Who is in the course that they asked for, since before or since then, does
    not count, and neither does who enrolled elsewhere before.
    """
    enrollments = course_enrollments()
    found: list[UsedOtherwise] = []
    for kind in SubsidyType:
        granted = _requests(kind, customer, asked).filter(state=RequestState.FULFILLED)
        named = granted.exclude(course_id="").order_by()
        columns = ("pk", "customer__slug", "user_id", "course_id", "state_changed_at")
        requests = Fragment.of(named.values(*columns)).renamed(
            "id", "slug", "user_id", "course_key", "granted_at"
        )
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                WITH enrollment AS ({enrollments.sql}), request AS ({requests.sql})
                SELECT request.slug, request.course_key, used.course_key, count(DISTINCT request.id)
                FROM request
                JOIN enrollment AS used
                  ON used.user_id = request.user_id AND used.enrolled_at >= request.granted_at
                WHERE NOT EXISTS (
                    SELECT FROM enrollment AS own
                    WHERE own.user_id = request.user_id AND own.course_key = request.course_key
                )
                GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC, 2, 3
                """,  # noqa: S608 - composed of constants; every value is a parameter
                [*enrollments.params, *requests.params],
            )
            found.extend(
                UsedOtherwise(slug, kind, asked_for, used, count)
                for slug, asked_for, used, count in cursor.fetchall()
            )
    return found


def _requests(
    kind: SubsidyType, customer: "Customer | None", asked: Period | None = None
) -> QuerySet[Any]:
    requests: QuerySet[Any] = REQUESTS_OF[kind].objects.all()
    if customer:
        requests = requests.filter(customer=customer)
    if asked:
        requests = requests.filter(created__gte=asked.begins, created__lt=asked.ends)
    return requests


def _waiting(
    kind: SubsidyType, at: datetime, customer: "Customer | None", asked: Period | None
) -> Iterator[dict[str, Any]]:
    of_interest = _requests(kind, customer, asked)
    requests = of_interest.filter(WAITING | FAILED).order_by()
    requests = requests.exclude(pk__in=superseded(of_interest).values("pk"))
    younger = {
        f"within_{days}": Count("pk", filter=WAITING & Q(created__gt=at - timedelta(days=days)))
        for days in AGES
    }
    rows = requests.values("customer_id", "customer__slug").annotate(
        waiting=Count("pk", filter=WAITING),
        failed=Count("pk", filter=FAILED),
        oldest_at=Min("created", filter=WAITING),
        **younger,
    )
    for row in rows.order_by("customer__slug"):
        yield {**row, "kind": kind}


def _by_age(row: Mapping[str, Any]) -> dict[str, int]:
    """Waiting requests by the first of `AGES` that they have not reached."""
    counts, counted = {}, 0
    for days in AGES:
        counts[str(days)] = row[f"within_{days}"] - counted
        counted = row[f"within_{days}"]
    return {**counts, OLDER: row["waiting"] - counted}


def _free_codes(customer_ids: set[int], *, at: datetime) -> dict[int, int]:
    begun = Q(coupon__starts_at=None) | Q(coupon__starts_at__lte=at)
    lasting = Q(coupon__ends_at=None) | Q(coupon__ends_at__gt=at)
    codes = CouponCode.objects.filter(
        begun,
        lasting,
        coupon__customer__in=customer_ids,
        coupon__is_active=True,
        source_request_uuid=None,
    )
    rows = codes.order_by().values_list("coupon__customer_id")
    return dict(rows.annotate(count=Count("pk")))
