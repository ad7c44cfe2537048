"""Files of the old license-manager: Django's `dumpdata` as JSON, or a table as CSV."""

import csv
from collections.abc import Iterator
from pathlib import Path

from django.core.management import CommandError

from credentials_portal.core.json_lists import items_of_list
from licenses.services.importing import Row

APP = "subscriptions."


def rows_of(path: Path, *, csv_model: str) -> Iterator[Row]:
    """Each row of the file, which is never held whole; `csv_model` is the table of a CSV file.

    Raises `CommandError` where the file cannot be read on.
    """
    try:
        yield from _of_csv(path, csv_model) if path.suffix == ".csv" else _of_json(path)
    except (OSError, ValueError, RecursionError, csv.Error) as error:
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
    for number, item in enumerate(items_of_list(path), start=1):
        if not (
            isinstance(item, dict)
            and isinstance(item.get("model"), str)
            and isinstance(item.get("fields"), dict)
        ):
            raise CommandError(f"{path} is no dump: item {number} lacks its model or its fields.")
        model = item["model"].lower().removeprefix(APP)
        yield Row(model, str(item.get("pk", "")), item["fields"], path.name, number)
