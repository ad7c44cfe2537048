"""Files of the old license-manager: Django's `dumpdata` as JSON, or a table as CSV."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from licenses.services.importing import Row

APP = "subscriptions."
CHUNK = 1 << 20


def rows_of(path: Path, *, csv_model: str) -> Iterator[Row]:
    """Each row of the file, which is never held whole; `csv_model` is the table of a CSV file.

    Raises `CommandError` where the file cannot be read on.
    """
    try:
        yield from _of_csv(path, csv_model) if path.suffix == ".csv" else _of_json(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error


def _of_csv(path: Path, model: str) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        columns = reader.fieldnames or ()
        key = next((name for name in ("uuid", "id") if name in columns), None)
        if key is None:
            raise CommandError(f"{path} lacks the column uuid or id.")
        for row in reader:
            yield Row(model, (row[key] or "").strip(), row, path.name, reader.line_num)


def _of_json(path: Path) -> Iterator[Row]:
    for number, item in enumerate(_items(path), start=1):
        if not (
            isinstance(item, dict)
            and isinstance(item.get("model"), str)
            and isinstance(item.get("fields"), dict)
        ):
            raise CommandError(f"{path} is no dump: item {number} lacks its model or its fields.")
        model = item["model"].lower().removeprefix(APP)
        yield Row(model, str(item.get("pk", "")), item["fields"], path.name, number)


def _items(path: Path) -> Iterator[Any]:
    """The items of the one list that a JSON file holds."""
    decode = json.JSONDecoder().raw_decode
    with path.open(encoding="utf-8-sig") as file:
        text = file.read(CHUNK).lstrip()
        if not text.startswith("["):
            raise CommandError(f"{path} is no dump: it is not a list.")
        place = 1
        while True:
            place = _past(text, place, " \t\r\n,")
            if text[place : place + 1] == "]":
                return
            try:
                item, place = decode(text, place)
            except json.JSONDecodeError as error:
                chunk = file.read(CHUNK)
                if not chunk:
                    raise CommandError(f"{path} cannot be read: {error.msg}.") from error
                text, place = text[place:] + chunk, 0
                continue
            yield item


def _past(text: str, place: int, skipped: str) -> int:
    while place < len(text) and text[place] in skipped:
        place += 1
    return place
