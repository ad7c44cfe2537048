"""What a learner sees first: what waits for them, how far they are, and what they were given."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from letters.enums import LetterState
from letters.selectors import letters_of
from programs.selectors import ProgramProgress, programs_of_learner

if TYPE_CHECKING:
    from letters.models import ProgramLetter

# As long a new letter is news.
NEWS = timedelta(days=30)


@dataclass(frozen=True)
class ProgramCard:
    progress: ProgramProgress
    letter: "ProgramLetter | None"


@dataclass(frozen=True)
class Home:
    """The letters in `waiting` are new, or not valid at the moment."""

    waiting: tuple["ProgramLetter", ...]
    programs: tuple[ProgramCard, ...]
    letters: tuple["ProgramLetter", ...]


def home_of(user_id: int, *, at: datetime) -> Home:
    """Four statements, whatever there is."""
    letters = tuple(letters_of(user_id))
    by_program = {letter.program_id: letter for letter in letters}
    return Home(
        waiting=tuple(letter for letter in letters if _waits(letter, at)),
        programs=tuple(
            ProgramCard(progress, by_program.get(progress.program.pk))
            for progress in programs_of_learner(user_id=user_id, at=at)
        ),
        letters=letters,
    )


def _waits(letter: "ProgramLetter", at: datetime) -> bool:
    if letter.state == LetterState.ACTIVE:
        return letter.issued_at is not None and letter.issued_at > at - NEWS
    return letter.state == LetterState.SUSPENDED
