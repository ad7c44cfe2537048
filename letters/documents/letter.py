"""What a letter says, as the page and the PDF both print it."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from letters.documents.markdown import Block, parse
from letters.documents.text import Direction, one_line


@dataclass(frozen=True)
class Picture:
    """A logo or a signature: a PNG, named by the hash of its bytes."""

    sha256: str
    width: int
    height: int
    content: bytes | None = None
    """Only a PDF needs it; a page names the picture by its address."""


@dataclass(frozen=True)
class Signatory:
    name: str
    titles: tuple[str, ...]
    signature: Picture | None = None


@dataclass(frozen=True)
class Letter:
    """A letter with the revision of the template that it is pinned to.

    `header`, `text` and `footer` are Markdown as staff wrote it. `issued_on` is the day in the
    institution's time zone: a document has one date, wherever it is read.
    """

    uuid: UUID
    recipient_name: str
    program_title: str
    issued_on: date
    verification_url: str
    header: str
    text: str
    footer: str
    logo: Picture | None
    signatories: tuple[Signatory, ...]


@dataclass(frozen=True)
class LetterDocument:
    """Everything that is printed, in the order in which it is read.

    `facts` are labels with values: the day of issue, the letter's id, where to verify it.
    """

    logo: Picture | None
    header: tuple[Block, ...]
    kicker: str
    title: str
    recipient_name: str
    body: tuple[Block, ...]
    signatories: tuple[Signatory, ...]
    footer: tuple[Block, ...]
    facts: tuple[tuple[str, str], ...]
    verification_url: str
    issued_on: date

    @property
    def direction(self) -> Direction:
        """Which side the sheet begins at: that of the text. Names keep their own direction."""
        return next((block.direction for block in self.body), "ltr")


def day_of(instant: datetime) -> date:
    """The day that a document prints: in the portal's time zone, wherever it is read."""
    return timezone.localdate(instant, timezone.get_default_timezone())


def compose(letter: Letter) -> LetterDocument:
    issued_on = date_format(letter.issued_on, "j F Y")
    words = {
        "name": letter.recipient_name,
        "program": letter.program_title,
        "date": issued_on,
    }
    return LetterDocument(
        logo=letter.logo,
        header=parse(letter.header, words),
        kicker=_("Program letter"),
        title=one_line(letter.program_title),
        recipient_name=one_line(letter.recipient_name),
        body=parse(letter.text, words),
        signatories=tuple(_printed(signatory) for signatory in letter.signatories),
        footer=parse(letter.footer, words),
        facts=(
            (_("Issued"), issued_on),
            (_("Letter id"), str(letter.uuid)),
            (_("Verify it at"), letter.verification_url),
        ),
        verification_url=letter.verification_url,
        issued_on=letter.issued_on,
    )


def _printed(signatory: Signatory) -> Signatory:
    titles = tuple(one_line(title) for title in signatory.titles)
    return replace(signatory, name=one_line(signatory.name), titles=titles)
