import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from credentials_portal.core import json_lists
from credentials_portal.core.json_lists import items_of_list


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.json"


@pytest.mark.parametrize("chunk", [2, 7, 1000])
def test_items_may_lie_across_chunks(
    path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(json_lists, "CHUNK", chunk)
    items: list[Any] = [{"a": "ä]"}, [], {"b": [1, None, "}"]}, "text"]
    path.write_text(" " + json.dumps(items, indent=1), encoding="utf-8")

    assert list(items_of_list(path)) == items


def test_numbers_are_read_as_wanted(path: Path) -> None:
    path.write_text('[{"a": 0.1}]')

    assert list(items_of_list(path, parse_float=Decimal)) == [{"a": Decimal("0.1")}]


@pytest.mark.parametrize("text", ["", "{}", "17", "[", "[{}", "[{} x]"])
def test_what_is_no_list_is_refused(path: Path, text: str) -> None:
    path.write_text(text)

    with pytest.raises(ValueError):  # noqa: PT011 - whatever json says of it
        list(items_of_list(path))


def test_an_item_that_never_ends_is_not_read_to_the_end_of_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lists, "CHUNK", 10)
    monkeypatch.setattr(json_lists, "LONGEST_ITEM", 100)
    path.write_text('[{"a": 1}, {"b": "' + "x" * 1000 + '"}]')
    items = items_of_list(path)

    assert next(items) == {"a": 1}
    with pytest.raises(json.JSONDecodeError):
        next(items)
