"""A whole text in one call, for programs that bring one along."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from credentials_portal.core.history import Attribution
from letters.models import LetterSignatory, ProgramLetterTemplate
from letters.services.templates import add_draft, save_picture


@dataclass(frozen=True)
class SignatoryDraft:
    name: str
    title_line_1: str
    title_line_2: str = ""
    signature: bytes | None = None


@dataclass(frozen=True)
class TextDraft:
    """What a program's letters are to say: Markdown, and pictures as they were uploaded."""

    text: str
    header: str = ""
    footer: str = ""
    logo: bytes | None = None
    signatories: Sequence[SignatoryDraft] = ()


@transaction.atomic
def write_draft(*, program_id: int, draft: TextDraft, by: Attribution) -> int:
    """Keep a text as the next revision of the program's; returns its primary key.

    Raises `BadPictureError`.
    """
    template = ProgramLetterTemplate(
        program_id=program_id,
        header=draft.header,
        text=draft.text,
        footer=draft.footer,
        logo=save_picture(draft.logo) if draft.logo else None,
    )
    add_draft(template, by=by)
    for position, each in enumerate(draft.signatories, start=1):
        LetterSignatory.objects.create(
            template=template,
            position=position,
            name=each.name,
            title_line_1=each.title_line_1,
            title_line_2=each.title_line_2,
            signature=save_picture(each.signature) if each.signature else None,
        )
    return template.pk
