"""Text of people and staff, made fit for paper: what is printed, and in which direction."""

import re
import unicodedata
from typing import Literal

Direction = Literal["ltr", "rtl"]

# Embeddings, overrides and isolates reach beyond the words that they came with.
_REACHING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Left at the beginning of a file, and no part of any word; a tagged PDF may not hold it.
_BYTE_ORDER_MARK = "\ufeff"
_UNPRINTABLE_CATEGORIES = {"Cc", "Cs"}
_DIRECTIONS: dict[str, Direction] = {"L": "ltr", "R": "rtl", "AL": "rtl"}


def printable(text: str) -> str:
    """Without what no paper can show: control characters, halves of characters, the order of
    other people's words. Lines stay lines, and tabs become blanks.
    """
    text = re.sub(r"\r\n?", "\n", text).replace("\t", " ")
    return "".join(character for character in text if _is_printable(character))


def one_line(text: str) -> str:
    """`printable`, on a single line, with single blanks: a name, a title."""
    return " ".join(printable(text).split())


def direction(text: str) -> Direction | None:
    """By the first letter that has a direction, as `dir="auto"` does; None when there is none."""
    kinds = (unicodedata.bidirectional(character) for character in text)
    return next((_DIRECTIONS[kind] for kind in kinds if kind in _DIRECTIONS), None)


def _is_printable(character: str) -> bool:
    if character == "\n":
        return True
    if character in _REACHING or character == _BYTE_ORDER_MARK:
        return False
    if unicodedata.category(character) in _UNPRINTABLE_CATEGORIES:
        return False
    # Code points that are promised never to be characters.
    return ord(character) & 0xFFFE != 0xFFFE and not 0xFDD0 <= ord(character) <= 0xFDEF
