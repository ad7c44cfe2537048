"""The letter as a document: what it says is composed once, and then set as a page or as a PDF."""

from letters.documents.letter import (
    Letter,
    LetterDocument,
    Picture,
    Signatory,
    compose,
    day_of,
)

__all__ = ["Letter", "LetterDocument", "Picture", "Signatory", "compose", "day_of"]
