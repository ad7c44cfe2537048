"""What reports of credit requests count, and that every way to read them says the same."""

import csv
import os
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credentials_portal.core.report import csv_cell
from programs.enums import CreditAnswer, CreditRequestStatus
from programs.models import Pathway, Program, UserCreditPathway
from programs.selectors.reports import (
    ALL_GROUPS,
    COLUMNS,
    NUMBERS,
    UNKNOWN_PROGRAM,
    GroupBy,
    ReportScope,
    credit_report,
    reported_requests,
)
from tests.letters.commands import run_command
from tests.programs.factories import (
    CreditRequestFactory,
    LearnerFactory,
    PathwayFactory,
    ProgramCertificateFactory,
    ProgramFactory,
)
from tests.programs.reporting import (
    DAY,
    INSTANT,
    JULY,
    JUNE,
    certificates,
    counted,
    requests,
    stored,
)

pytestmark = pytest.mark.django_db

IN_JUNE = ReportScope(since=date(2025, 6, 1), until=date(2025, 7, 1))
GROUPINGS = [ALL_GROUPS, *((group,) for group in GroupBy)]


@pytest.fixture
def program() -> Program:
    program: Program = ProgramFactory.create(title="Data Science")
    return program


@pytest.fixture
def pathway() -> Pathway:
    pathway: Pathway = PathwayFactory.create(name="Masters", org_name="Harbour University")
    return pathway


def asked(program: Program, pathway: Pathway, **fields: Any) -> UserCreditPathway:
    request: UserCreditPathway = CreditRequestFactory.create(
        **{"program": program, "pathway": pathway, "requested_at": JUNE, **fields}
    )
    return request


def told(scope: ReportScope, *group_by: GroupBy) -> list[dict[str, Any]]:
    return [line.cells for line in credit_report(scope, group_by=group_by or ALL_GROUPS).lines]


# --- What is counted ---------------------------------------------------------------------------


def test_a_line_counts_requests_of_a_program_to_a_pathway_in_a_month(
    program: Program, pathway: Pathway
) -> None:
    ada, ben, cyd = LearnerFactory.create_batch(3)
    asked(program, pathway, user=ada, was_completed=True)
    asked(program, pathway, user=ada, number=2, status=CreditRequestStatus.FAILED)
    asked(program, pathway, user=ben, answer=CreditAnswer.GRANTED, answered_at=JULY)
    asked(
        program,
        pathway,
        user=cyd,
        status=CreditRequestStatus.WITHDRAWN,
        withdrawn_at=JUNE,
        answer=CreditAnswer.REFUSED,
        answered_at=JUNE,
    )
    ProgramCertificateFactory.create(user=ben, program=program, awarded_at=JUNE + 10 * DAY)
    ProgramCertificateFactory.create(user=cyd, program=program, awarded_at=JUNE + 3 * DAY)

    assert told(IN_JUNE) == [
        {
            "program_uuid": program.uuid,
            "program": "Data Science",
            "pathway_uuid": pathway.uuid,
            "pathway": "Masters",
            "institution": "Harbour University",
            "month": "2025-06",
            "requests": 4,
            "learners": 3,
            "first": 3,
            "repeated": 1,
            "completed_percent": 25.0,
            "failed": 1,
            "withdrawn": 1,
            "received": 0,
            "granted": 1,
            "refused": 1,
            "median_days": 6.5,
        }
    ]


def test_a_month_begins_at_its_first_instant_in_utc_and_ends_before_the_next(
    program: Program, pathway: Pathway
) -> None:
    for instant in (JUNE - INSTANT, JUNE, JULY - INSTANT, JULY):
        asked(program, pathway, requested_at=instant)

    months = [(line["month"], line["requests"]) for line in told(ReportScope())]

    assert months == [("2025-05", 1), ("2025-06", 2), ("2025-07", 1)]
    assert [(line["month"], line["requests"]) for line in told(IN_JUNE)] == [("2025-06", 2)]


def test_the_months_do_not_move_with_the_readers_zone(program: Program, pathway: Pathway) -> None:
    asked(program, pathway, requested_at=JULY - INSTANT)

    with timezone.override("Asia/Tokyo"):
        months = [line["month"] for line in told(IN_JUNE)]

    assert months == ["2025-06"]


def test_requests_of_the_older_service_without_a_program_stand_in_a_line_of_their_own(
    program: Program, pathway: Pathway
) -> None:
    asked(program, pathway)
    for _ in range(2):
        CreditRequestFactory.create(legacy=True, pathway=pathway, requested_at=JUNE)

    known, unknown = told(IN_JUNE, GroupBy.PROGRAM)

    assert (known["program"], known["requests"]) == ("Data Science", 1)
    assert (unknown["program_uuid"], unknown["program"]) == (None, UNKNOWN_PROGRAM)
    assert (unknown["requests"], unknown["learners"], unknown["first"]) == (2, 2, 2)
    assert (unknown["completed_percent"], unknown["median_days"]) == (None, None)


def test_a_report_of_one_program_has_no_unknown_one(program: Program, pathway: Pathway) -> None:
    asked(program, pathway)
    CreditRequestFactory.create(legacy=True, pathway=pathway, requested_at=JUNE)

    assert [line["program"] for line in told(ReportScope(program_uuid=program.uuid))] == [
        "Data Science"
    ]


def test_only_certificates_that_came_after_the_request_tell_how_long_it_took(
    program: Program, pathway: Pathway
) -> None:
    before, with_it, revoked, never, completed = (
        asked(program, pathway, was_completed=was) for was in (False, False, False, False, True)
    )
    ProgramCertificateFactory.create(user=before.user, program=program, awarded_at=JUNE - INSTANT)
    ProgramCertificateFactory.create(user=with_it.user, program=program, awarded_at=JUNE)
    ProgramCertificateFactory.create(
        user=revoked.user, program=program, awarded_at=JUNE + DAY, revoked=True
    )
    ProgramCertificateFactory.create(user=never.user, awarded_at=JUNE + DAY)
    ProgramCertificateFactory.create(user=completed.user, program=program, awarded_at=JULY)

    (line,) = told(IN_JUNE)

    assert line["median_days"] == 0.0


def test_the_total_counts_a_learner_of_several_lines_once(
    program: Program, pathway: Pathway
) -> None:
    ada = LearnerFactory.create()
    asked(program, pathway, user=ada)
    asked(program, PathwayFactory.create(), user=ada)
    asked(program, pathway, user=ada, number=2, requested_at=JULY)

    report = credit_report(ReportScope())

    assert [line.learners for line in report.lines] == [1, 1, 1]
    assert (report.total.requests, report.total.learners) == (3, 1)
    assert (report.total.program, report.total.month) == ("", None)


def test_nothing_is_reported_where_nobody_asked() -> None:
    report = credit_report(ReportScope())

    assert report.lines == ()
    assert (report.total.requests, report.total.completed_percent) == (0, None)


def test_a_period_that_ends_where_it_begins_is_empty(program: Program, pathway: Pathway) -> None:
    asked(program, pathway)

    assert told(ReportScope(since=date(2025, 6, 1), until=date(2025, 6, 1))) == []
    assert len(told(ReportScope(since=date.min, until=date.max))) == 1


def test_one_pathway_or_one_institution_is_reported_alone(
    program: Program, pathway: Pathway
) -> None:
    sibling = PathwayFactory.create(name="Other", org_name="Harbour University")
    for one in (pathway, sibling, PathwayFactory.create()):
        asked(program, one)

    of_one = told(ReportScope(pathway_uuid=pathway.uuid), GroupBy.PATHWAY)
    of_both = told(ReportScope(institution="Harbour University"), GroupBy.PATHWAY)

    assert [line["pathway"] for line in of_one] == ["Masters"]
    assert [line["pathway"] for line in of_both] == ["Masters", "Other"]


def test_programs_and_pathways_of_one_name_are_told_apart() -> None:
    for _ in range(2):
        asked(ProgramFactory.create(title="Same"), PathwayFactory.create(name="Same"))

    assert [line["requests"] for line in told(ReportScope(), GroupBy.PROGRAM)] == [1, 1]
    assert [line["requests"] for line in told(ReportScope(), GroupBy.PATHWAY)] == [1, 1]


# --- Against an independent count --------------------------------------------------------------


def found_by_hand(scope: ReportScope) -> list[UserCreditPathway]:
    since = scope.since and datetime(*scope.since.timetuple()[:3], tzinfo=UTC)
    until = scope.until and datetime(*scope.until.timetuple()[:3], tzinfo=UTC)
    return [
        request
        for request in UserCreditPathway.objects.select_related("program", "pathway")
        if (since is None or request.requested_at >= since)
        and (until is None or request.requested_at < until)
    ]


@given(
    rows=requests,
    held=certificates,
    scope=st.sampled_from([ReportScope(), IN_JUNE, ReportScope(since=date(2025, 6, 1))]),
    group_by=st.sampled_from(GROUPINGS),
)
@settings(
    max_examples=300 if os.environ.get("FULL") else 40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_report_agrees_with_a_count_by_hand(
    rows: list[Any], held: dict[Any, Any], scope: ReportScope, group_by: tuple[GroupBy, ...]
) -> None:
    with stored(rows, held):
        by_hand = counted(found_by_hand(scope), group_by)

        report = credit_report(scope, group_by=group_by)

        assert [line.cells for line in report.lines] == by_hand.lines
        assert report.total.cells == by_hand.total
        assert len(list(reported_requests(scope))) == by_hand.total["requests"]


# --- What it costs -----------------------------------------------------------------------------


def test_a_report_is_one_statement_however_much_was_asked(
    program: Program, pathway: Pathway
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            credit_report(ReportScope())
        return len(captured)

    asked(program, pathway)
    for_one = statements()
    for number in range(50):
        asked(ProgramFactory.create(), pathway, requested_at=JUNE + timedelta(days=30 * number))

    assert (for_one, statements()) == (1, 1)


# --- The command -------------------------------------------------------------------------------


def written(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.reader(lines))


def test_the_command_tells_the_total_and_the_lines(
    program: Program, pathway: Pathway, tmp_path: Path
) -> None:
    asked(program, pathway)
    asked(program, pathway, requested_at=JULY)
    period = ("--since", "2025-06-01", "--until", "2025-07-01")

    ran = run_command("report_credit_requests", *period, "--output", tmp_path / "report.csv")

    (line,) = credit_report(IN_JUNE).lines
    names = ("program_uuid", "pathway_uuid")
    (row,) = ran.summary.pop("rows")
    assert row == {**line.cells, **{name: str(line.cells[name]) for name in names}}
    assert (ran.code, ran.summary) == (
        0,
        {
            "since": "2025-06-01",
            "until": "2025-07-01",
            "group_by": "program, pathway, month",
            "lines": 1,
            **{name: line.cells[name] for name in NUMBERS},
        },
    )
    assert written(tmp_path / "report.csv") == [
        list(COLUMNS),
        [csv_cell(line.cells[name]) for name in COLUMNS],
    ]


@pytest.mark.parametrize("group", GroupBy)
def test_the_command_groups_by_what_is_named(
    program: Program, pathway: Pathway, group: GroupBy
) -> None:
    asked(program, pathway)

    ran = run_command("report_credit_requests", "--group-by", group)

    (row,) = ran.summary["rows"]
    named = {name for name in set(COLUMNS) - set(NUMBERS) if row[name]}
    columns = {
        GroupBy.PROGRAM: {"program_uuid", "program"},
        GroupBy.PATHWAY: {"pathway_uuid", "pathway", "institution"},
        GroupBy.MONTH: {"month"},
    }
    assert named == columns[group]


def test_the_command_writes_the_lines_as_csv_that_no_spreadsheet_runs(pathway: Pathway) -> None:
    asked(ProgramFactory.create(title="=SUM(A1)"), pathway)
    out = StringIO()

    call_command("report_credit_requests", "--format", "csv", stdout=out)

    header, line = csv.reader(StringIO(out.getvalue(), newline=""))
    assert header == list(COLUMNS)
    assert line[1:7:2] == ["'=SUM(A1)", "Masters", "2025-06"]


def test_the_command_tells_people_what_is_not_zero(program: Program, pathway: Pathway) -> None:
    asked(program, pathway)
    out = StringIO()

    call_command("report_credit_requests", stdout=out)

    total, line = out.getvalue().split("\n\n")
    assert total.splitlines()[:4] == [
        "since              -",
        "until              -",
        "group_by           program, pathway, month",
        "lines              1",
    ]
    assert line.splitlines() == [
        "Data Science, Masters, 2025-06",
        "requests  1",
        "learners  1",
        "first     1",
    ]


def test_the_command_refuses_what_it_does_not_know() -> None:
    with pytest.raises(CommandError, match="is no date such as"):
        call_command("report_credit_requests", "--since", "June")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("report_credit_requests", "--group-by", "learner")
