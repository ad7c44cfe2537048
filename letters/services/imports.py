"""Letters that another system issued, with their uuids and dates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.dateparse import parse_datetime

from credentials_portal.accounts.models import User, normalise_email
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from letters.enums import IMPORTED_INACTIVE, IssuedVia, LetterAction, LetterState
from letters.models import ProgramLetter
from letters.services.breaker import lock_configuration
from letters.services.writing import NewLetter, create_letters
from programs import selectors as programs

if TYPE_CHECKING:
    from programs.models import Program

REQUIRED_COLUMNS = ("uuid", "program", "is_active", "created_on")
LEARNER_COLUMNS = ("username", "email")
TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


class BadLetterRecordError(DomainError):
    """A record that cannot be imported; the message says why and names nobody."""

    code = "bad_record"


@dataclass(frozen=True)
class LetterRecord:
    """A letter as the other system knows it; `email` counts only where `username` is nobody's."""

    uuid: UUID
    username: str
    program: str
    is_active: bool
    created_on: datetime
    email: str = ""


@dataclass
class ImportTally:
    """`errors` gives the place of each bad record (from the caller) and what is wrong."""

    imported: int = 0
    unchanged: int = 0
    inactive: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)


def parse_record(row: Mapping[str, str | None], *, at: datetime) -> LetterRecord:
    """Read one row of the CSV; raises `BadLetterRecordError`."""
    text = {name: (row.get(name) or "").strip() for name in (*REQUIRED_COLUMNS, *LEARNER_COLUMNS)}
    if "\0" in "".join(text.values()):
        raise BadLetterRecordError("it holds a NUL character")
    try:
        uuid = UUID(text["uuid"])
    except ValueError:
        raise BadLetterRecordError("the uuid is malformed") from None
    if not text["username"] and not text["email"]:
        raise BadLetterRecordError("neither a username nor an e-mail address")
    is_active = TRUTH.get(text["is_active"].lower())
    if is_active is None:
        raise BadLetterRecordError("is_active is neither true nor false")
    return LetterRecord(
        uuid=uuid,
        username=text["username"],
        program=text["program"],
        is_active=is_active,
        created_on=_date(text["created_on"], at),
        email=text["email"],
    )


@retry_conflicts
@transaction.atomic
def import_letters(
    records: Sequence[tuple[int, LetterRecord]], *, by: Attribution, dry_run: bool = False
) -> ImportTally:
    """Create the letters of these records, each given with its place in the file.

    Active ones stay active from their own date, inactive ones become `suspended:
    imported_inactive`. A letter is judged by the requirements that were in force on its date;
    where there were none, by today's. A letter that is here already is left alone; a uuid that
    belongs to another letter, a learner who has another letter, an unknown learner and an
    unknown program are errors of their record. A dry run writes nothing.
    """
    tally = ImportTally()
    learners = _Learners.of([record for _place, record in records])
    found = _programs({record.program for _place, record in records})
    versions = programs.versions_over_time(program.pk for program in found.values())
    present = _Present.of([record.uuid for _, record in records], learners.everybody())
    drafts: dict[UUID, NewLetter] = {}
    for place, record in records:
        try:
            program = found.get(record.program)
            user = learners.find(record)
            if program is None:
                raise BadLetterRecordError("there is no such program")
            if user is None:
                raise BadLetterRecordError("there is no such learner")
            if present.has(record.uuid, user.pk, program.pk):
                tally.unchanged += 1
                continue
        except BadLetterRecordError as error:
            tally.errors.append((place, error.message))
            continue
        present.add(record.uuid, user.pk, program.pk)
        drafts[record.uuid] = NewLetter(
            uuid=record.uuid,
            user_id=user.pk,
            program_id=program.pk,
            state=LetterState.ACTIVE if record.is_active else LetterState.SUSPENDED,
            state_reason="" if record.is_active else IMPORTED_INACTIVE,
            action=LetterAction.IMPORTED,
            issued_via=IssuedVia.IMPORT,
            issued_at=record.created_on,
            recipient_name=user.full_name,
            requirements_version_id=versions[program.pk].at(record.created_on),
        )
    if not dry_run:
        # So that nobody publishes a text meanwhile that these letters would miss.
        for program_id in sorted({draft.program_id for draft in drafts.values()}):
            lock_configuration(program_id, by=by)
        create_letters(list(drafts.values()), by=by)
    tally.imported = len(drafts)
    tally.inactive = sum(draft.state == LetterState.SUSPENDED for draft in drafts.values())
    return tally


@dataclass(frozen=True)
class _Learners:
    """The people whom records name: by username, as it is written, else by e-mail address."""

    by_username: dict[str, User]
    by_email: dict[str, User]

    @classmethod
    def of(cls, records: Sequence[LetterRecord]) -> "_Learners":
        usernames = {record.username for record in records if record.username}
        emails = {normalise_email(record.email) for record in records if record.email}
        people = User.objects.filter(Q(username__in=usernames) | Q(email__in=emails))
        return cls(
            by_username={user.username: user for user in people if user.username in usernames},
            by_email={user.email: user for user in people if user.email in emails},
        )

    def find(self, record: LetterRecord) -> User | None:
        return self.by_username.get(record.username) or self.by_email.get(
            normalise_email(record.email)
        )

    def everybody(self) -> set[User]:
        return {*self.by_username.values(), *self.by_email.values()}


@dataclass
class _Present:
    """The letters that are here, and those that earlier records of the file bring."""

    by_uuid: dict[UUID, tuple[int, int]]
    by_learner: dict[tuple[int, int], UUID]

    @classmethod
    def of(cls, uuids: Sequence[UUID], users: set[User]) -> "_Present":
        letters = ProgramLetter.objects.filter(Q(uuid__in=uuids) | Q(user__in=users))
        rows = list(letters.values_list("uuid", "user_id", "program_id"))
        return cls(
            by_uuid={uuid: (user, program) for uuid, user, program in rows},
            by_learner={(user, program): uuid for uuid, user, program in rows},
        )

    def has(self, uuid: UUID, user_id: int, program_id: int) -> bool:
        """Whether this very letter is here; raises `BadLetterRecordError` on a contradiction."""
        owner = self.by_uuid.get(uuid)
        if owner not in {None, (user_id, program_id)}:
            raise BadLetterRecordError("the uuid belongs to a letter of someone or something else")
        if self.by_learner.get((user_id, program_id), uuid) != uuid:
            raise BadLetterRecordError("the learner has another letter of this program")
        return owner is not None

    def add(self, uuid: UUID, user_id: int, program_id: int) -> None:
        self.by_uuid[uuid] = (user_id, program_id)
        self.by_learner[user_id, program_id] = uuid


def _date(text: str, at: datetime) -> datetime:
    try:
        moment = parse_datetime(text)
        if moment is None or moment.tzinfo is None:
            raise ValueError
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadLetterRecordError("created_on is no instant with a zone") from None
    if moment > at:
        raise BadLetterRecordError("created_on lies in the future")
    return moment


def _programs(identifiers: set[str]) -> dict[str, "Program"]:
    found = {}
    for identifier in identifiers:
        try:
            found[identifier] = programs.program_by_identifier(identifier)
        except DomainError:
            continue
    return found
