import json
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError

from credentials_portal.core.report import FileReport, ReportWriter, csv_cell

AT = datetime(2027, 5, 3, 12, tzinfo=UTC)


def test_writes_csv(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"

    with FileReport(path) as report:
        report.row(username="lena", grade=0.87, passed=True, at=AT, reasons=["a", "b"], note=None)
        report.row(note='x, "y"', reasons=[], at=None, passed=False, grade=-1, username="Zoë")

    assert path.read_bytes().decode() == (
        "username,grade,passed,at,reasons,note\r\n"
        "lena,0.87,true,2027-05-03T12:00:00+00:00,a; b,\r\n"
        'Zoë,-1,false,,,"x, ""y"""\r\n'
    )


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson"])
def test_writes_json_lines(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"report.{suffix}"

    with FileReport(path) as report:
        report.row(uuid=UUID(int=1), name="=1+1", at=AT, missing=None)

    (line,) = path.read_text().splitlines()
    assert json.loads(line) == {
        "uuid": "00000000-0000-0000-0000-000000000001",
        "name": "=1+1",
        "at": "2027-05-03T12:00:00+00:00",
        "missing": None,
    }


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1"])
def test_keeps_a_spreadsheet_from_running_a_text(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["1-2", "a=b", "lena@example.org", "", "'=1"])
def test_leaves_harmless_texts_alone(value: str) -> None:
    assert csv_cell(value) == value


def test_a_list_cannot_smuggle_a_formula() -> None:
    assert csv_cell(["=1", "b"]) == "'=1; b"


def test_an_empty_report_still_has_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"

    with FileReport(path, ["letter", "outcome"]):
        pass

    assert path.read_text() == "letter,outcome\n"


def test_refuses_a_row_of_other_columns(tmp_path: Path) -> None:
    with (
        FileReport(tmp_path / "report.csv", ["letter"]) as report,
        pytest.raises(ValueError, match="letter"),
    ):
        report.row(leter="x")


def test_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_text("of the last run")

    with suppress(ZeroDivisionError), FileReport(path) as report:
        report.row(username="lena")
        raise ZeroDivisionError

    assert path.read_text() == "of the last run"
    assert (tmp_path / "report.csv.partial").read_text() == "username\nlena\n"


def test_renames_the_partial_file_at_the_end(tmp_path: Path) -> None:
    path, partial = tmp_path / "report.csv", tmp_path / "report.csv.partial"

    with FileReport(path) as report:
        report.row(username="lena")
        assert partial.exists()
        assert not path.exists()

    assert path.exists()
    assert not partial.exists()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"

    with FileReport(path) as report:
        report.row(username="lena")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("report.xlsx", "must end in .csv, .jsonl, .ndjson"),
        ("report", "must end in .csv, .jsonl, .ndjson"),
        ("missing/report.csv", "No such file or directory"),
        ("folder.csv", "it is a directory"),
    ],
)
def test_says_at_once_that_it_cannot_be_written(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "folder.csv").mkdir()

    with pytest.raises(CommandError, match=why), FileReport(tmp_path / name):
        pytest.fail("work began")


def test_says_that_the_disk_is_full() -> None:
    report = FileReport(Path("/dev/full.csv"))
    report.partial = Path("/dev/full")

    def fill(report: FileReport) -> None:
        with report:
            for _ in range(10_000):
                report.row(username="lena")

    with pytest.raises(CommandError, match="No space left on device"):
        fill(report)


def test_nobody_asked_for_a_report() -> None:
    with ReportWriter() as report:
        report.row(username="lena")
