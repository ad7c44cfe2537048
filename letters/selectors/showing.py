"""What learners and strangers may see of letters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Q, Sum
from django.db.models.functions import JSONObject
from django.urls import reverse

from letters.documents import Letter, Picture, Signatory, day_of
from letters.documents.text import one_line
from letters.enums import LetterState, Viewer
from letters.models import (
    LetterPicture,
    LetterSignatory,
    ProgramLetter,
    ProgramLetterQuerySet,
    ProgramLetterTemplate,
)


def letters_of(user_id: int) -> ProgramLetterQuerySet:
    """A learner's letters to show, with `is_shown` and how often others opened each (`views`).

    Pending ones wait for staff and are not shown.
    """
    return (
        ProgramLetter.objects.filter(user_id=user_id)
        .exclude(state=LetterState.PENDING)
        .with_visibility()
        .annotate(views=Sum("view_counts__views", filter=Q(view_counts__viewer=Viewer.OTHER)))
        .select_related("program")
        .order_by("program__title")
    )


@dataclass(frozen=True)
class LetterPage:
    """A letter as its page needs it. `letter` is what it says; None: it is not shown."""

    letter_id: int
    user_id: int
    state: LetterState
    letter: Letter | None


def verification_url(letter_uuid: UUID) -> str:
    """Where anybody can check the letter: printed on it, so the same on whatever host it is read."""
    path = reverse("verify_letter", args=[letter_uuid])
    return f"{settings.PORTAL_BASE_URL}{path}"


def letter_page(letter_uuid: UUID) -> LetterPage | None:
    """A letter with its text, signatories and the names of its pictures, in one statement.

    None for one that waits for release, as for one that never was.
    """
    row = (
        ProgramLetter.objects.filter(uuid=letter_uuid)
        .exclude(state=LetterState.PENDING)
        .select_related("program", "content_revision__logo")
        .defer("content_revision__logo__content", "evidence")
        .annotate(signatories=_signatories(OuterRef("content_revision")))
        .with_visibility()
        .first()
    )
    if row is None:
        return None
    letter = None
    if row.is_shown and row.content_revision and row.issued_at:  # type: ignore[attr-defined]  # annotated
        letter = letter_with_text(
            row.content_revision,
            [_signatory(signatory) for signatory in row.signatories],  # type: ignore[attr-defined]  # annotated
            uuid=row.uuid,
            recipient_name=row.recipient_name,
            program_title=row.program.title,
            issued_at=row.issued_at,
        )
    return LetterPage(row.pk, row.user_id, LetterState(row.state), letter)


def letter_with_text(
    template: ProgramLetterTemplate,
    signatories: Iterable[Signatory] | None = None,
    *,
    uuid: UUID,
    recipient_name: str,
    program_title: str,
    issued_at: datetime,
) -> Letter:
    """What a letter says with this revision of the text; the day is that of the portal's zone."""
    if signatories is None:
        rows = template.signatories.order_by("position", "pk")
        signatories = [_signatory(each) for each in rows.values_list(_facts(), flat=True)]
    return Letter(
        uuid=uuid,
        recipient_name=recipient_name,
        program_title=program_title,
        issued_on=day_of(issued_at),
        verification_url=verification_url(uuid),
        header=template.header,
        text=template.text,
        footer=template.footer,
        logo=_logo(template.logo),
        signatories=tuple(signatories),
    )


def with_pictures(letter: Letter) -> Letter:
    """The same letter with the bytes of its pictures, in one statement: a PDF carries them."""
    named = [letter.logo, *(signatory.signature for signatory in letter.signatories)]
    stored = LetterPicture.objects.in_bulk([picture.sha256 for picture in named if picture])

    def filled(picture: Picture | None) -> Picture | None:
        return picture and replace(picture, content=bytes(stored[picture.sha256].content))

    return replace(
        letter,
        logo=filled(letter.logo),
        signatories=tuple(
            replace(signatory, signature=filled(signatory.signature))
            for signatory in letter.signatories
        ),
    )


def _facts() -> JSONObject:
    return JSONObject(
        name="name",
        title_line_1="title_line_1",
        title_line_2="title_line_2",
        sha256=F("signature__sha256"),
        width=F("signature__width"),
        height=F("signature__height"),
    )


def _signatories(template: OuterRef) -> ArraySubquery:
    of_template = LetterSignatory.objects.filter(template=template)
    return ArraySubquery(of_template.order_by("position", "pk").values_list(_facts()))


def _signatory(facts: Mapping[str, Any]) -> Signatory:
    signature = None
    if facts["sha256"]:
        signature = Picture(facts["sha256"], facts["width"], facts["height"])
    titles = tuple(line for line in (facts["title_line_1"], facts["title_line_2"]) if line)
    return Signatory(facts["name"], titles, signature)


def _logo(picture: LetterPicture | None) -> Picture | None:
    return Picture(picture.sha256, picture.width, picture.height) if picture else None


@dataclass(frozen=True)
class Verification:
    """What a stranger may know of a letter: nothing but the verdict, unless it is valid.

    Name and program are as the letter prints them: the order of its letters could make a name
    look like another one here.
    `status` is "valid", "temporarily_not_valid" or "withdrawn".
    """

    status: str
    letter_uuid: UUID
    name: str = ""
    program: str = ""
    issued_at: datetime | None = None
    withdrawn_at: datetime | None = None

    @property
    def issued_on(self) -> date | None:
        """The day that the letter itself prints."""
        return self.issued_at and day_of(self.issued_at)

    def as_json(self) -> dict[str, Any]:
        """The facts for programs; what is not known, or nobody's business, is left out."""
        facts = {
            "status": self.status,
            "letter": str(self.letter_uuid),
            "name": self.name,
            "program": self.program,
            "issued_at": self.issued_at,
            "withdrawn_at": self.withdrawn_at,
        }
        return {name: value for name, value in facts.items() if value}


def verify_letter(letter_uuid: UUID) -> Verification | None:
    """Answer a stranger's question, in one statement.

    None: there is no such letter, or it is not shown: it waits for release, or for a text.
    """
    letter = (
        ProgramLetter.objects.filter(uuid=letter_uuid)
        .exclude(state=LetterState.PENDING)
        .select_related("program")
        .defer("evidence")
        .with_visibility()
        .first()
    )
    if letter is None:
        return None
    match letter.state:
        case LetterState.REVOKED:
            return Verification("withdrawn", letter.uuid, withdrawn_at=letter.revoked_at)
        case LetterState.SUSPENDED:
            return Verification("temporarily_not_valid", letter.uuid)
    if not letter.is_shown:  # type: ignore[attr-defined]  # annotated
        return None
    return Verification(
        "valid",
        letter.uuid,
        name=one_line(letter.recipient_name),
        program=one_line(letter.program.title),
        issued_at=letter.issued_at,
    )
