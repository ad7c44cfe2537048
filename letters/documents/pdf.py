"""A letter's document as a PDF: the same bytes for the same letter, for ever.

The template is `letter.typ`; fonts lie beside it, and none of the machine's are used. The PDF is
tagged (PDF/UA-1), so that it can be read aloud. A character that no font has is printed as a box;
copied from the PDF it is still itself.
"""

import json
from base64 import b64encode
from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import typst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from letters.documents.letter import LetterDocument, Picture, Signatory
from letters.documents.markdown import Block, Span
from letters.documents.qr import qr_svg
from letters.documents.text import direction

_TEMPLATE = Path(__file__).with_name("letter.typ")
_FONTS = Path(__file__).with_name("fonts")
# The first that has a character prints it; the last has all.
_FAMILIES = (
    "Noto Serif",
    "Noto Naskh Arabic",
    "Noto Serif Hebrew",
    "Noto Serif Devanagari",
    "Noto Serif Bengali",
    "Noto Serif Tamil",
    "Noto Serif Thai",
    "Noto Serif Armenian",
    "Noto Serif Georgian",
    "Noto Serif Ethiopic",
    "Noto Serif CJK SC",
    "Letter Unknown",
)


def render_pdf(document: LetterDocument, *, watermark: str = "") -> bytes:
    """The pictures must carry their content. Safe to call from several threads at once.

    A `watermark` lies across every page, behind its words: for what is no letter.
    """
    return typst.compile(
        _TEMPLATE,
        root=_TEMPLATE.parent,
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"letter": json.dumps(_content(document) | {"watermark": watermark})},
        pdf_standards="ua-1",
        timestamp=datetime.combine(document.issued_on, time(), UTC),
    )


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[_FONTS]
    )


def _content(document: LetterDocument) -> dict[str, Any]:
    issued_on = document.issued_on
    return {
        "fonts": _FAMILIES,
        "direction": document.direction,
        "language": (get_language() or "en").split("-")[0],
        "document_title": f"{document.kicker}: {document.title}, {document.recipient_name}",
        "issued_on": (issued_on.year, issued_on.month, issued_on.day),
        "logo": _picture(document.logo, _("Logo")),
        "header": [_block(block) for block in document.header],
        "kicker": document.kicker,
        "title": _directed(document.title),
        "recipient": _directed(document.recipient_name),
        "body": [_block(block) for block in document.body],
        "signatories": [_signatory(signatory) for signatory in document.signatories],
        "footer": [_block(block) for block in document.footer],
        "facts": [
            {"label": label, "value": value, "is_address": value == document.verification_url}
            for label, value in document.facts
        ],
        "qr": {
            "svg": qr_svg(document.verification_url).decode(),
            "alt": _("QR code: the address at which this letter is verified"),
            "width": 1,
            "height": 1,
        },
        "page_words": _("Page {page} of {pages}"),
    }


def _signatory(signatory: Signatory) -> dict[str, Any]:
    alt = _("Signature of %(name)s") % {"name": signatory.name}
    return {
        "name": _directed(signatory.name),
        "titles": [_directed(title) for title in signatory.titles],
        "signature": _picture(signatory.signature, alt),
    }


def _picture(picture: Picture | None, alt: str) -> dict[str, Any] | None:
    """Wrapped in a drawing: the template gets texts only, and a PNG is none."""
    if picture is None:
        return None
    if picture.content is None:
        raise ValueError(f"The picture {picture.sha256} has no content.")
    width, height = picture.width, picture.height
    png = b64encode(picture.content).decode()
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{png}"/></svg>'
    )
    return {"svg": svg, "alt": alt, "width": width, "height": height}


def _directed(text: str) -> dict[str, str]:
    return {"text": text, "direction": direction(text) or "ltr"}


def _block(block: Block) -> dict[str, Any]:
    return {
        "kind": block.kind,
        "direction": block.direction,
        "start": block.start,
        "spans": [_span(span) for span in block.spans],
        "items": [[_block(child) for child in item] for item in block.items],
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "text": span.text,
        "strong": span.is_strong,
        "emphasised": span.is_emphasised,
        "value": span.is_value,
    }
