"""The per-row report of a command, `--output FILE`: for people, so it may name learners."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Self, TextIO

from django.core.management import CommandError

# A spreadsheet runs a cell that starts like this.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class ReportWriter:
    """What a command reports its rows to. This one keeps nothing: nobody asked for a report."""

    def __enter__(self) -> Self:
        return self

    def row(self, **cells: Any) -> None:
        """Add one row."""

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add each of these rows."""
        for cells in rows:
            self.row(**cells)

    def __exit__(self, error_type: type[BaseException] | None, *_rest: object) -> None:
        """Finish the report, unless an error ended the work."""


class FileReport(ReportWriter):
    """Writes FILE as CSV, or as JSON lines where its suffix is .jsonl or .ndjson.

    FILE.partial is opened, readable by its owner only, before any work starts; leaving the `with`
    block renames it, leaving it by an exception does not, so FILE is always whole. The columns are
    `columns`, else those of the first row; every row has exactly these. Raises `CommandError` when
    the file cannot be written.
    """

    def __init__(self, path: Path, columns: Sequence[str] = ()) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")
        self.columns = tuple(columns)
        self._write: Callable[[dict[str, Any]], object] | None = None

    def __enter__(self) -> Self:
        if self.path.suffix not in ROWS:
            raise CommandError(f"--output {self.path}: the name must end in {', '.join(ROWS)}.")
        if self.path.is_dir():
            raise CommandError(f"--output {self.path} cannot be written: it is a directory.")
        with self._explained():
            self._file = open(self.partial, "w", encoding="utf-8", newline="", opener=_private)
            if self.columns:
                self._start()
        return self

    def row(self, **cells: Any) -> None:
        self.columns = self.columns or tuple(cells)
        if set(cells) != set(self.columns):
            raise ValueError(f"a row of {sorted(cells)} in a report of {sorted(self.columns)}")
        with self._explained():
            write = self._write or self._start()
            write(cells)

    def __exit__(self, error_type: type[BaseException] | None, *_rest: object) -> None:
        with self._explained():
            self._file.close()
            if error_type is None:
                self.partial.replace(self.path)

    def _start(self) -> Callable[[dict[str, Any]], object]:
        self._write = ROWS[self.path.suffix](self._file, self.columns)
        return self._write

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CommandError(
                f"--output {self.path} cannot be written: {error.strerror}."
            ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _csv_rows(file: TextIO, columns: tuple[str, ...]) -> Callable[[dict[str, Any]], object]:
    writer = csv.writer(file)
    writer.writerow(columns)
    return lambda cells: writer.writerow([csv_cell(cells[name]) for name in columns])


def _json_lines(file: TextIO, columns: tuple[str, ...]) -> Callable[[dict[str, Any]], object]:
    def write(cells: dict[str, Any]) -> None:
        ordered = {name: cells[name] for name in columns}
        file.write(json.dumps(ordered, ensure_ascii=False, default=_plain) + "\n")

    return write


ROWS = {".csv": _csv_rows, ".jsonl": _json_lines, ".ndjson": _json_lines}


def csv_cell(value: Any) -> str:
    """How a value stands in CSV: ISO dates, lists joined by "; ", and no text that is a formula."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list() | tuple():
            text = "; ".join(csv_cell(item) for item in value)
        case _:
            text = str(_plain(value))
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
