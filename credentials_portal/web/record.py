"""A learner's record in a program, with what the program asks for, and the letter."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from credentials_portal.core.errors import NotFoundError
from letters.selectors import letters_of
from programs.selectors import ProgramRecord, record_of
from programs.selectors.checklist import Checklist, CreditOffer, checklist_of, credit_offers
from programs.selectors.record_words import ShownLearner

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User
    from letters.models import ProgramLetter


@dataclass(frozen=True)
class RecordPage:
    """What is known `at` an instant; `offers` are the institutions that take the record."""

    at: datetime
    learner: ShownLearner
    record: ProgramRecord
    checklist: Checklist
    letter: "ProgramLetter | None"
    offers: tuple[CreditOffer, ...]


def record_page_of(user: "User", *, program_uuid: UUID, at: datetime) -> RecordPage:
    """Six statements, whatever there is.

    Raises `NotFoundError`, also where the learner has nothing to do with the program.
    """
    record = record_of(user_id=user.pk, program_uuid=program_uuid, at=at)
    checklist = checklist_of(record=record, at=at)
    if checklist is None:
        raise NotFoundError("You have nothing in this program.")
    program_id = record.program.pk
    return RecordPage(
        at=at,
        learner=ShownLearner.in_full(user),
        record=record,
        checklist=checklist,
        letter=letters_of(user.pk).filter(program_id=program_id).first(),
        offers=tuple(credit_offers(program_id=program_id, user_id=user.pk)),
    )
