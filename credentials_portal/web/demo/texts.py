"""What the demo institution's letters say, and with which pictures."""

from pathlib import Path

from credentials_portal.core.history import Attribution
from credentials_portal.web.demo.catalog import CATALOG, DEVELOPMENT, NOT_YET
from letters.services import SignatoryDraft, TextDraft, publish_template, write_draft
from programs.selectors import program_by_identifier

PICTURES = Path(__file__).with_name("pictures")

HEADER = "Office of the Registrar"
TEXT = Path(__file__).with_name("letter.md")
FOOTER = "Northbridge Institute · 1 Bridge Street · Northbridge"

ONLY_A_DRAFT = DEVELOPMENT
"""One of its letters is false: publication is refused until somebody looked at it."""


def publish_texts(*, by: Attribution) -> None:
    """Show the letters as the old system did, the false ones of program 5 too."""
    draft = _draft()
    for program in CATALOG:
        if program is NOT_YET:
            continue
        program_id = program_by_identifier(str(program.uuid)).pk
        template_id = write_draft(program_id=program_id, draft=draft, by=by)
        if program is not ONLY_A_DRAFT:
            publish_template(template_id=template_id, by=by, despite_failures=True)


def _draft() -> TextDraft:
    return TextDraft(
        header=HEADER,
        text=TEXT.read_text(encoding="utf-8"),
        footer=FOOTER,
        logo=_picture("logo"),
        signatories=(
            SignatoryDraft(
                "Prof. Ingrid Solheim-Adeyemi",
                "Dean of Digital Learning",
                signature=_picture("signature-dean"),
            ),
            SignatoryDraft(
                "Rosalind Okafor",
                "Registrar",
                signature=_picture("signature-registrar"),
            ),
        ),
    )


def _picture(name: str) -> bytes:
    return (PICTURES / f"{name}.png").read_bytes()
