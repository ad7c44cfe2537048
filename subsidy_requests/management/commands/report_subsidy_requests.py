from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from licenses.selectors.customers import customer_by_identifier
from subsidy_requests.enums import SubsidyType
from subsidy_requests.selectors.reports import (
    AGES,
    OLDER,
    CourseDemand,
    DeclineReason,
    Demand,
    StateCount,
    UsedOtherwise,
    course_demands,
    decline_reasons,
    demands,
    state_counts,
    unused_grants,
    used_otherwise,
)


class Command(OperatorCommand):
    """Prints `states` (→ requests), `waiting`, `failed` and `unmet` requests (more than seats or codes are free),
    `waiting_days` (by age), `declined` (through what → requests), `unused` (granted licenses that
    were not activated) and `used_otherwise` (granted for a course, used for another).

    A line of --output is a number (`value`) of a customer: `subject` is a state, an age in days, a
    course, a reason, a request or a pair of courses. The value of `median_hours` is after how long
    half of the requests got into that state, that of `unused` for how many days a license is.
    """

    help = (
        "Tell which requests cannot be met, how long they wait, why they are declined, and what"
        " becomes of what was granted. Only reads."
    )
    job = False
    report_columns = ("report", "customer", "type", "subject", "value")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", metavar="ID", help="Only this one: slug or uuid.")
        parser.add_argument(
            "--unused-days",
            type=arguments.count,
            default=30,
            metavar="N",
            help="After how many days a license counts as not used. Default: 30.",
        )

    def run(self, run: CommandRun) -> Summary:
        named = run.options["customer"]
        customer = customer_by_identifier(named) if named else None
        states = state_counts(customer=customer)
        waiting = demands(at=run.at, customer=customer)
        reasons = decline_reasons(customer=customer)
        otherwise = used_otherwise(customer=customer)
        run.report.rows(_state_rows(states))
        run.report.rows(_demand_rows(waiting))
        run.report.rows(_course_rows(course_demands(customer=customer)))
        run.report.rows(_reason_rows(reasons))
        run.report.rows(_otherwise_rows(otherwise))
        ages = {age: sum(one.by_age[age] for one in waiting) for age in (*map(str, AGES), OLDER)}
        declined = _sums((reason.source, reason.count) for reason in reasons)
        return Summary(
            {
                "states": _sums((one.state, one.count) for one in states),
                "waiting": sum(one.waiting for one in waiting),
                "failed": sum(one.failed for one in waiting),
                "unmet": sum(one.unmet for one in waiting),
                "waiting_days": ages,
                "declined": declined,
                "unused": _report_unused(run, customer),
                "used_otherwise": sum(one.count for one in otherwise),
            }
        )


def _sums(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for name, count in counts:
        sums[name] += count
    return dict(sorted(sums.items()))


def _state_rows(states: Sequence[StateCount]) -> Iterator[dict[str, Any]]:
    for one in states:
        yield _row("requests", one.slug, one.kind, one.state, one.count)
        if one.median_hours is not None:
            hours = round(one.median_hours, 1)
            yield _row("median_hours", one.slug, one.kind, one.state, hours)


def _course_rows(courses: Sequence[CourseDemand]) -> Iterator[dict[str, Any]]:
    for one in courses:
        yield _row("waiting_for_course", one.slug, one.kind, one.course_id, one.count)


def _demand_rows(waiting: Sequence[Demand]) -> Iterator[dict[str, Any]]:
    for one in waiting:
        numbers = {"waiting": one.waiting, "failed": one.failed, "free": one.free}
        for report, value in {**numbers, "unmet": one.unmet}.items():
            yield _row(report, one.slug, one.kind, "", value)
        for age, count in one.by_age.items():
            yield _row("waiting_days", one.slug, one.kind, age, count)


def _reason_rows(reasons: Sequence[DeclineReason]) -> Iterator[dict[str, Any]]:
    for one in reasons:
        yield _row("declined", one.slug, one.kind, one.reason or one.source, one.count)


def _otherwise_rows(otherwise: Sequence[UsedOtherwise]) -> Iterator[dict[str, Any]]:
    for one in otherwise:
        courses = f"{one.requested} → {one.used}"
        yield _row("used_otherwise", one.slug, one.kind, courses, one.count)


def _report_unused(run: CommandRun, customer: Any) -> int:
    """Report them one by one, as they may be many; returns how many there are."""
    grants = unused_grants(at=run.at, days=run.options["unused_days"], customer=customer)
    if not run.options["output"]:
        return grants.count()
    count = 0
    for request in grants.iterator(chunk_size=2_000):
        days = (run.at - request.state_changed_at).days
        slug = request.customer.slug
        run.report.rows([_row("unused", slug, SubsidyType.LICENSE, str(request.uuid), days)])
        count += 1
    return count


def _row(report: str, slug: str, kind: str, subject: str, value: float) -> dict[str, Any]:
    return {"report": report, "customer": slug, "type": kind, "subject": subject, "value": value}
