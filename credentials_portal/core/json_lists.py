"""Files that hold one JSON list, which may be longer than memory."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
# What does not end within so many characters is no item, but a file that is broken.
LONGEST_ITEM = 64 * CHUNK


def items_of_list(path: Path, *, parse_float: Callable[[str], Any] | None = None) -> Iterator[Any]:
    """The items, which are no bare numbers; one is held at a time.

    Raises `ValueError` where it is no list.
    """
    decode = json.JSONDecoder(parse_float=parse_float).raw_decode
    with path.open(encoding="utf-8-sig") as file:
        text = file.read(CHUNK).lstrip()
        if not text.startswith("["):
            raise ValueError("it is not a list")
        place = 1
        while True:
            place = _past(text, place, " \t\r\n,")
            if text[place : place + 1] == "]":
                return
            try:
                item, place = decode(text, place)
            except json.JSONDecodeError:
                chunk = file.read(CHUNK)
                if not chunk or len(text) - place > LONGEST_ITEM:
                    raise
                text, place = text[place:] + chunk, 0
                continue
            yield item


def _past(text: str, place: int, skipped: str) -> int:
    while place < len(text) and text[place] in skipped:
        place += 1
    return place
