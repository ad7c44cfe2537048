import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from credentials_portal.core.models import JobRun

NOW = datetime(2027, 5, 3, 12, tzinfo=UTC)
AS_OF = ("--as-of", NOW.isoformat(), "--format", "json")


def ran(name: str, *, hours_ago: float, outcome: str = "done") -> JobRun:
    ended_at = NOW - timedelta(hours=hours_ago)
    return JobRun.objects.create(
        name=name,
        system_user="cron",
        judged_at=ended_at,
        started_at=ended_at - timedelta(minutes=1),
        ended_at=None if outcome == "running" else ended_at,
        outcome=outcome,
    )


@pytest.fixture
def status(db: None, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command; its exit code and its summary."""

    def run(*arguments: str) -> tuple[int, Any]:
        code = 0
        try:
            call_command("job_status", *AS_OF, *arguments)
        except CommandError as error:
            code = error.returncode
        return code, json.loads(capsys.readouterr().out or "null")

    return run


def test_is_content_with_a_recent_success(status: Any) -> None:
    ran("check_history", hours_ago=25)

    assert status("--job", "check_history") == (
        0,
        {
            "stale": 0,
            "jobs": {
                "check_history": {
                    "is_stale": False,
                    "last_success": "2027-05-02T11:00:00+00:00",
                    "last_outcome": "done",
                }
            },
        },
    )


@pytest.mark.parametrize(("hours_ago", "code"), [(26, 0), (26.01, 1)])
def test_a_success_counts_until_it_is_too_old(status: Any, hours_ago: float, code: int) -> None:
    ran("check_history", hours_ago=hours_ago)

    assert status("--job", "check_history")[0] == code


@pytest.mark.parametrize(("max_age", "code"), [("90m", 1), ("119m", 1), ("2h", 0), ("1d", 0)])
def test_the_age_is_the_operators_choice(status: Any, max_age: str, code: int) -> None:
    ran("check_history", hours_ago=2)

    assert status("--job", "check_history", "--max-age", max_age)[0] == code


@pytest.mark.parametrize(
    "outcome", ["running", "failed_items", "refused", "interrupted", "crashed"]
)
def test_only_a_success_counts(status: Any, outcome: str) -> None:
    ran("check_history", hours_ago=30)
    ran("check_history", hours_ago=1, outcome=outcome)

    code, summary = status("--job", "check_history")

    assert (code, summary["stale"]) == (1, 1)
    assert summary["jobs"]["check_history"]["last_outcome"] == outcome


def test_a_failure_after_a_recent_success_is_shown_but_not_stale(status: Any) -> None:
    ran("check_history", hours_ago=2)
    ran("check_history", hours_ago=1, outcome="crashed")

    code, summary = status("--job", "check_history")

    assert code == 0
    assert summary["jobs"]["check_history"]["last_outcome"] == "crashed"


def test_expects_every_scheduled_job_by_default(status: Any) -> None:
    code, summary = status()

    assert code == 1
    assert summary["jobs"]["check_history"] == {
        "is_stale": True,
        "last_success": None,
        "last_outcome": None,
    }
    assert "retire_user" not in summary["jobs"]
    assert "migrate" not in summary["jobs"]


def test_asks_only_about_the_jobs_that_were_named(status: Any) -> None:
    ran("retire_user", hours_ago=1)

    code, summary = status("--job", "retire_user", "--job", "check_history")

    assert code == 1
    assert summary["stale"] == 1
    assert list(summary["jobs"]) == ["check_history", "retire_user"]


def test_refuses_a_job_that_does_not_exist(status: Any) -> None:
    assert status("--job", "check_histroy") == (2, None)


def test_refuses_a_duration_without_a_unit(status: Any) -> None:
    with pytest.raises(CommandError, match="'26' is no duration such as 90m, 26h or 7d"):
        call_command("job_status", "--max-age", "26")


def test_leaves_no_record_of_itself(status: Any) -> None:
    status()

    assert not JobRun.objects.exists()
