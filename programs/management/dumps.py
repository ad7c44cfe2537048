"""Tables that another service's database wrote into a folder, one file each."""

import csv
import json
from collections.abc import Collection, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from credentials_portal.core.json_lists import items_of_list
from programs.services.credentials_service import Row

SUFFIXES = (".csv", ".json", ".jsonl", ".ndjson")
# Longer than any column; what is longer than a column is its row's trouble, not the file's.
LONGEST_CELL = 64 * 1024 * 1024


def files_of(folder: Path, tables: Collection[str]) -> dict[str, Path]:
    """The file of each table in the folder. Raises `CommandError`."""
    if not folder.is_dir():
        raise CommandError(f"{folder} is no folder.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES:
            continue
        if path.stem not in tables:
            raise CommandError(f"{path.name} is none of the tables {', '.join(tables)}.")
        if path.stem in found:
            raise CommandError(f"{path.stem} is there twice: {found[path.stem].name}, {path.name}.")
        found[path.stem] = path
    if not found:
        raise CommandError(f"{folder} holds no table: {', '.join(tables)}.")
    return found


def require_columns(path: Path, required: Collection[str]) -> None:
    """Refuse a file before anything is loaded; it is read once to its end."""
    columns: frozenset[str] | None = None
    for row in rows_of(path):
        columns = frozenset(row.cells) if columns is None else columns
    missing = [name for name in required if columns is not None and name not in columns]
    if missing:
        raise CommandError(f"{path} lacks the column {', '.join(missing)}.")


def pages_of(path: Path, size: int) -> Iterator[list[Row]]:
    rows = rows_of(path)
    while page := list(islice(rows, size)):
        yield page


def rows_of(path: Path) -> Iterator[Row]:
    """Each row of the file, which is never held whole. Raises `CommandError`."""
    try:
        match path.suffix.lower():
            case ".csv":
                yield from _of_csv(path)
            case ".json":
                yield from _of_items(path, items_of_list(path, parse_float=Decimal))
            case _:
                yield from _of_items(path, _lines(path))
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error


def _of_csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        for cells in reader:
            # Cells beyond the last column.
            cells.pop(None, None)
            yield Row(reader.line_num, cells)


def _of_items(path: Path, items: Iterator[Any]) -> Iterator[Row]:
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            raise CommandError(f"{path}: row {number} is no object.")
        yield Row(number, item)


def _lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8-sig") as file:
        for line in file:
            if line.strip():
                yield json.loads(line, parse_float=Decimal)
