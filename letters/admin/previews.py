"""What a text looks like as somebody's letter, before anybody sees it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import NotFoundError
from letters import selectors
from letters.documents import LetterDocument, compose
from letters.enums import LetterState
from letters.models import ProgramLetter, ProgramLetterTemplate

NO_LETTER = UUID(int=0)
"""What a preview prints for an id: its code leads to no letter, whoever it is shown to."""


@dataclass(frozen=True)
class Reader:
    """Whose letter a preview shows; `is_invented` where it is nobody's."""

    name: str
    issued_at: datetime
    is_invented: bool = False


def preview(
    template: ProgramLetterTemplate, reader: Reader, *, with_pictures: bool = False
) -> LetterDocument:
    """The text as this person's letter, marked as no letter."""
    letter = selectors.letter_with_text(
        template,
        uuid=NO_LETTER,
        recipient_name=reader.name,
        program_title=template.program.title,
        issued_at=reader.issued_at,
    )
    document = compose(selectors.with_pictures(letter) if with_pictures else letter)
    return replace(document, kicker=_("Preview, not valid"))


def invented_reader(*, at: datetime) -> Reader:
    return Reader(_("Alexandra Example"), at, is_invented=True)


def some_reader(template: ProgramLetterTemplate, *, at: datetime) -> Reader:
    """A learner with an active letter of the program, else somebody invented."""
    letters = ProgramLetter.objects.filter(
        program_id=template.program_id, state=LetterState.ACTIVE
    ).exclude(recipient_name="")
    letter = letters.order_by("pk").first()
    return _holder(letter, at=at) if letter else invented_reader(at=at)


def asked_reader(
    template: ProgramLetterTemplate, asked: str, *, at: datetime, among_all: bool
) -> Reader:
    """The holder of the letter with this uuid, or the learner of this username or e-mail address.

    `among_all` also finds people who have no letter of the program. Raises `NotFoundError`.
    """
    people = User.objects.by_login(asked)
    letters = ProgramLetter.objects.filter(program_id=template.program_id)
    found = letters.filter(uuid__in=_uuids(asked)) | letters.filter(user__in=people)
    if letter := found.select_related("user").first():
        reader = _holder(letter, at=at)
    elif among_all and (person := people.first()):
        reader = Reader(person.full_name, at)
    else:
        raise NotFoundError(_("Nobody with a letter of this program is called that."))
    if not reader.name.strip():
        raise NotFoundError(_("This learner has no name that a letter could print."))
    return reader


def _holder(letter: ProgramLetter, *, at: datetime) -> Reader:
    return Reader(letter.recipient_name or letter.user.full_name, letter.issued_at or at)


def _uuids(text: str) -> Iterable[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []
