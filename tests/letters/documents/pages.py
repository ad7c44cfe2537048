"""What a PDF holds, read with another library than the one that wrote it."""

from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import create_string_buffer
from typing import Any

import pypdfium2
from pypdfium2 import raw


@contextmanager
def opened(pdf: bytes) -> Iterator[pypdfium2.PdfDocument]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        yield document
    finally:
        document.close()


def texts(pdf: bytes) -> list[str]:
    """The text of each page.

    PDFium takes some hyphens at the end of a line for hyphenation, of which we have none.
    """
    with opened(pdf) as document:
        read = [page.get_textpage().get_text_range() for page in document]
    return [text.replace("\ufffe", "-\r\n") for text in read]


def structure(pdf: bytes) -> list[tuple[int, str, str]]:
    """The tags of the first page with their depth and alternative text, as they are read aloud."""
    with opened(pdf) as document:
        page = document[0]
        tree = raw.FPDF_StructTree_GetForPage(page)
        try:
            roots = [
                raw.FPDF_StructTree_GetChildAtIndex(tree, index)
                for index in range(raw.FPDF_StructTree_CountChildren(tree))
            ]
            return [found for root in roots for found in _tags(root, 0)]
        finally:
            raw.FPDF_StructTree_Close(tree)


def ink_beyond(pdf: bytes, margin_mm: float) -> list[str]:
    """The characters that stand nearer to the left or right edge of their page."""
    margin = margin_mm / 25.4 * 72
    found = []
    with opened(pdf) as document:
        for page in document:
            text = page.get_textpage()
            for index in range(text.count_chars()):
                left, _, right, _ = text.get_charbox(index)
                if right > left and (left < margin or right > page.get_width() - margin):
                    found.append(text.get_text_range(index, 1))
    return found


def _tags(element: raw.FPDF_STRUCTELEMENT, depth: int) -> Iterator[tuple[int, str, str]]:
    if not element:
        return
    kind = _string(raw.FPDF_StructElement_GetType, element)
    yield depth, kind, _string(raw.FPDF_StructElement_GetAltText, element)
    for index in range(raw.FPDF_StructElement_CountChildren(element)):
        yield from _tags(raw.FPDF_StructElement_GetChildAtIndex(element, index), depth + 1)


def _string(read: Any, element: raw.FPDF_STRUCTELEMENT) -> str:
    """What one of PDFium's functions writes as UTF-16 into a buffer of the size that it told."""
    size = read(element, None, 0)
    if not size:
        return ""
    buffer = create_string_buffer(size)
    read(element, buffer, size)
    return buffer.raw.decode("utf-16-le").rstrip("\0")
