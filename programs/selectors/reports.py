"""What was asked of institutions, and what came of it: by program, pathway and month."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from credentials_portal.core.sql import Fragment
from programs.enums import CertificateStatus, CreditAnswer, CreditRequestStatus
from programs.models import UserCreditPathway

UNKNOWN_PROGRAM = "unknown program (legacy)"
"""What rows of the older service are counted under, which did not say which program they were of."""


class GroupBy(StrEnum):
    """What the lines of a report are of."""

    PROGRAM = "program"
    PATHWAY = "pathway"
    MONTH = "month"


ALL_GROUPS = tuple(GroupBy)


@dataclass(frozen=True)
class ReportScope:
    """Which requests are reported: those asked for from `since` until, but not on, `until`.

    Both are days in UTC, as the months of the report are. None: without such a limit. A report
    of one program has no requests of the older service that name none.
    """

    since: date | None = None
    until: date | None = None
    program_uuid: UUID | None = None
    pathway_uuid: UUID | None = None
    institution: str = ""

    def requests(self) -> QuerySet[UserCreditPathway]:
        lookups = {
            "requested_at__gte": _midnight(self.since),
            "requested_at__lt": _midnight(self.until),
            "program__uuid": self.program_uuid,
            "pathway__uuid": self.pathway_uuid,
            "pathway__org_name": self.institution or None,
        }
        given = {name: value for name, value in lookups.items() if value is not None}
        return UserCreditPathway.objects.filter(**given).order_by()


@dataclass(frozen=True)
class ReportLine:
    """Requests of a program to a pathway in a month, as far as the report is grouped by them.

    `month` is its first day. `first` were asked by learners who had not asked this pathway about
    this program before. `completed_percent` is of those requests of which it is known whether the
    program was completed then; `median_days` of those that were not and whose learners have the
    program's certificate by now: half of them got it within so many days. None: of none.
    """

    program_uuid: UUID | None
    program: str
    pathway_uuid: UUID | None
    pathway: str
    institution: str
    month: date | None
    requests: int
    learners: int
    first: int
    repeated: int
    completed_percent: float | None
    failed: int
    withdrawn: int
    received: int
    granted: int
    refused: int
    median_days: float | None

    @property
    def cells(self) -> dict[str, Any]:
        """The line as files and programs get it: by column, the month as 2026-05."""
        month = self.month and f"{self.month:%Y-%m}"
        return {**asdict(self), "month": month or ""}


COLUMNS = tuple(ReportLine.__dataclass_fields__)
NUMBERS = COLUMNS[COLUMNS.index("requests") :]
"""Of the columns those that count; the others name what is counted."""


@dataclass(frozen=True)
class CreditReport:
    """`total` is of all requests together: a learner who is in several lines counts once."""

    lines: tuple[ReportLine, ...]
    total: ReportLine


KEYS = {GroupBy.PROGRAM: "program_id", GroupBy.PATHWAY: "pathway_id", GroupBy.MONTH: "month"}
TYPES = {GroupBy.PROGRAM: "bigint", GroupBy.PATHWAY: "bigint", GroupBy.MONTH: "date"}


def credit_report(scope: ReportScope, *, group_by: Sequence[GroupBy] = ALL_GROUPS) -> CreditReport:
    """The report, in one statement; what is of an unknown program stands last."""
    requests = _requests(scope)
    grouped = ", ".join(KEYS[group] for group in group_by)
    keys = ", ".join(
        KEYS[group] if group in group_by else f"NULL::{TYPES[group]} AS {KEYS[group]}"
        for group in GroupBy
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH request AS ({requests.sql}),
            line AS (
                SELECT {keys}, GROUPING({grouped}) > 0 AS is_total,
                    count(*) AS requests,
                    count(DISTINCT user_id) AS learners,
                    count(*) FILTER (WHERE number = 1) AS first,
                    count(*) FILTER (WHERE was_completed) AS completed,
                    count(was_completed) AS judged,
                    count(*) FILTER (WHERE status = %s) AS failed,
                    count(*) FILTER (WHERE status = %s) AS withdrawn,
                    count(*) FILTER (WHERE answer = %s) AS received,
                    count(*) FILTER (WHERE answer = %s) AS granted,
                    count(*) FILTER (WHERE answer = %s) AS refused,
                    percentile_cont(0.5) WITHIN GROUP (ORDER BY days) AS median_days
                FROM request GROUP BY GROUPING SETS (({grouped}), ())
            )
            SELECT line.*, program.uuid AS program_uuid, program.title AS program,
                pathway.uuid AS pathway_uuid, pathway.name AS pathway,
                pathway.org_name AS institution
            FROM line
            LEFT JOIN programs_program AS program ON program.id = line.program_id
            LEFT JOIN programs_pathway AS pathway ON pathway.id = line.pathway_id
            ORDER BY is_total, program.title, program_id, pathway.name, pathway_id, month
            """,  # noqa: S608 - composed of constants; every value is a parameter
            [
                *requests.params,
                *(CreditRequestStatus.FAILED, CreditRequestStatus.WITHDRAWN),
                *(CreditAnswer.RECEIVED, CreditAnswer.GRANTED, CreditAnswer.REFUSED),
            ],
        )
        names = [column.name for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    *rows, total = found
    nameless = UNKNOWN_PROGRAM if GroupBy.PROGRAM in group_by else ""
    return CreditReport(tuple(_line(row, nameless) for row in rows), _line(total, ""))


REQUEST_COLUMNS = (
    *("request", "requested_at", "username", "program_uuid", "program", "pathway_uuid", "pathway"),
    *("institution", "number", "source", "was_completed", "status", "failure", "sent_at"),
    *("withdrawn_at", "answer", "answered_at"),
)


def reported_requests(scope: ReportScope) -> Iterator[dict[str, Any]]:
    """The requests that the report of this scope counts, the oldest first; these name learners."""
    requests = scope.requests().order_by("requested_at", "pk")
    values = requests.values_list(
        *("uuid", "requested_at", "user__username", "program__uuid", "program__title"),
        *("pathway__uuid", "pathway__name", "pathway__org_name", "number", "source"),
        *("was_completed", "status", "failure", "sent_at", "withdrawn_at", "answer"),
        "answered_at",
    )
    for row in values.iterator(chunk_size=2_000):
        named = dict(zip(REQUEST_COLUMNS, row, strict=True))
        yield {**named, "program": named["program"] or UNKNOWN_PROGRAM}


def _requests(scope: ReportScope) -> Fragment:
    """Its requests with their month, and in `days` how long the certificate took, where it came."""
    requests = Fragment.of(
        scope.requests().values(
            *("program_id", "pathway_id", "user_id", "number", "status", "answer"),
            *("was_completed", "requested_at"),
        )
    ).renamed(
        *("program_id", "pathway_id", "user_id", "number", "status", "answer"),
        *("was_completed", "requested_at"),
    )
    return Fragment(
        f"""
        SELECT request.*, date_trunc('month', requested_at AT TIME ZONE 'UTC')::date AS month,
            CASE WHEN NOT was_completed AND certificate.awarded_at >= requested_at
                THEN extract(epoch FROM certificate.awarded_at - requested_at) / 86400
            END AS days
        FROM ({requests.sql}) AS request
        LEFT JOIN programs_programcertificate AS certificate
            ON certificate.user_id = request.user_id
            AND certificate.program_id = request.program_id AND certificate.status = %s
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (*requests.params, CertificateStatus.AWARDED),
    )


def _line(row: Mapping[str, Any], nameless: str) -> ReportLine:
    completed, judged, median = row["completed"], row["judged"], row["median_days"]
    return ReportLine(
        program_uuid=row["program_uuid"],
        program=row["program"] if row["program_uuid"] else nameless,
        pathway_uuid=row["pathway_uuid"],
        pathway=row["pathway"] or "",
        institution=row["institution"] or "",
        month=row["month"],
        requests=row["requests"],
        learners=row["learners"],
        first=row["first"],
        repeated=row["requests"] - row["first"],
        completed_percent=round(100 * completed / judged, 1) if judged else None,
        failed=row["failed"],
        withdrawn=row["withdrawn"],
        received=row["received"],
        granted=row["granted"],
        refused=row["refused"],
        median_days=None if median is None else round(median, 1),
    )


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
