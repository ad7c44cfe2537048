"""What a learner sees first: what waits for them, how far they are, and what they were given."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from entitlements.selectors.learners import HeldEntitlement, entitlements_of_learner
from letters.enums import LetterState
from letters.selectors import letters_of
from licenses.selectors.customers import customers_looked_after_by
from licenses.selectors.learners import HeldLicense, licenses_of_learner
from programs.selectors import ProgramProgress, programs_of_learner
from programs.selectors.credit_news import CreditNews, credit_news_of
from subsidy_requests.selectors.learners import HeldRequest, requests_of_learner
from subsidy_requests.selectors.review import waiting_by_customer

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User
    from letters.models import ProgramLetter
    from licenses.models import Customer

# As long a new letter, a refused refund, or an answer to a request, is news.
NEWS = timedelta(days=30)


@dataclass(frozen=True)
class ProgramCard:
    progress: ProgramProgress
    letter: "ProgramLetter | None"


@dataclass(frozen=True)
class CustomerLookedAfter:
    """A customer whose seats the reader looks after; `waiting` requests wait for a decision."""

    customer: "Customer"
    waiting: int


@dataclass(frozen=True)
class Home:
    """The letters in `waiting` are new, or not valid at the moment.

    `licenses` are those that need the reader: to be activated, or about to end. `entitlements`
    end soon, or their refund was refused. `requests` were answered lately, and so were requests
    for `credit`.
    """

    waiting: tuple["ProgramLetter", ...]
    licenses: tuple[HeldLicense, ...]
    entitlements: tuple[HeldEntitlement, ...]
    requests: tuple[HeldRequest, ...]
    credit: CreditNews
    programs: tuple[ProgramCard, ...]
    letters: tuple["ProgramLetter", ...]
    customers: tuple[CustomerLookedAfter, ...]

    @property
    def needs_reader(self) -> bool:
        """There is something to do, or to know."""
        own = (self.waiting, self.licenses, self.entitlements, self.requests, self.credit)
        return any(own) or any(one.waiting for one in self.customers)


def home_of(user: "User", *, at: datetime) -> Home:
    """Sixteen statements at most, whatever there is."""
    customers = list(customers_looked_after_by(user))
    requests_waiting = waiting_by_customer(customers)
    letters = tuple(letters_of(user.pk))
    by_program = {letter.program_id: letter for letter in letters}
    return Home(
        waiting=tuple(letter for letter in letters if _waits(letter, at)),
        licenses=tuple(held for held in licenses_of_learner(user, at=at) if held.needs_learner),
        entitlements=tuple(
            held
            for held in entitlements_of_learner(user, at=at)
            if held.ends_soon or held.refusal_within(NEWS)
        ),
        requests=tuple(one for one in requests_of_learner(user, at=at) if one.is_news(NEWS)),
        credit=credit_news_of(user_id=user.pk, since=at - NEWS, at=at),
        programs=tuple(
            ProgramCard(progress, by_program.get(progress.program.pk))
            for progress in programs_of_learner(user_id=user.pk, at=at)
        ),
        letters=letters,
        customers=tuple(
            CustomerLookedAfter(customer, requests_waiting.get(customer.pk, 0))
            for customer in customers
        ),
    )


def _waits(letter: "ProgramLetter", at: datetime) -> bool:
    if letter.is_shown:  # type: ignore[attr-defined]  # annotated by letters_of
        return letter.issued_at is not None and letter.issued_at > at - NEWS
    return letter.state == LetterState.SUSPENDED
