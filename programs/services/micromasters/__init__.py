"""Import of MIT MicroMasters' seed files: programs, learners, enrollments and grades."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db import DataError, IntegrityError

from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from programs.services.micromasters.catalog import load_program
from programs.services.micromasters.learners import RunFact, load_learners, run_facts
from programs.services.micromasters.records import (
    LearnerSeed,
    ProgramSeed,
    learner_seed,
    program_seed,
)
from programs.services.micromasters.tally import Tally
from programs.services.nodes import RecordError

PROGRAMS, USERS = "programs", "users"
BATCH_SIZE = 500


@dataclass(frozen=True)
class Rejected:
    """A record that was not loaded: which of which file, and why; it names no person."""

    file: str
    index: int
    reason: str


@dataclass
class MicroMastersImport:
    """One import: `load_program` for each record, then `load_learners` for each batch.

    Each program, and each batch of learners, is a transaction of its own. A record is loaded
    whole or not at all, and one that is not hinders no other. A second import of the same files
    changes nothing. With `is_dry_run` nothing is written, and the numbers are the same.
    """

    by: Attribution
    is_dry_run: bool = False
    tally: Tally = field(default_factory=Tally)
    rejected: list[Rejected] = field(default_factory=list)
    _loaded: dict[str, ProgramSeed] = field(default_factory=dict)
    _runs: dict[str, RunFact] = field(default_factory=dict)
    _reserved: set[str] = field(default_factory=set)

    def load_program(self, index: int, record: object) -> None:
        try:
            seed = program_seed(record)
            if seed.title in self._loaded:
                raise RecordError("another program of the file has this title")
            loaded = self._loaded.values()
            tally = load_program(seed, loaded=loaded, by=self.by, is_dry_run=self.is_dry_run)
            self.tally.merge(tally)
        except (DomainError, IntegrityError, DataError) as error:
            self._reject(PROGRAMS, index, error)
        else:
            self._loaded[seed.title] = seed

    def learner_batches(self, records: Sequence[object]) -> Iterator[list[LearnerSeed]]:
        """The records that can be loaded, in batches; the others are rejected here."""
        learners = list(self._readable(records))
        keys = {key for one in learners for key in (*one.run_keys, *one.grades)}
        self._runs = run_facts(keys, list(self._loaded.values()))
        self._reserved = {learner.username for learner in learners if learner.username}
        for start in range(0, len(learners), BATCH_SIZE):
            yield learners[start : start + BATCH_SIZE]

    def load_learners(self, batch: Sequence[LearnerSeed]) -> None:
        """Load a batch; one that the database refuses is halved until the bad record is alone."""
        try:
            tally, refused = load_learners(
                batch,
                runs=self._runs,
                reserved=self._reserved,
                by=self.by,
                is_dry_run=self.is_dry_run,
            )
        except (DomainError, IntegrityError, DataError) as error:
            if len(batch) == 1:
                self._reject(USERS, batch[0].index, error)
                return
            middle = len(batch) // 2
            self.load_learners(batch[:middle])
            self.load_learners(batch[middle:])
        else:
            self.tally.merge(tally)
            self.rejected += [Rejected(USERS, index, reason) for index, reason in refused]

    def _readable(self, records: Sequence[object]) -> Iterator[LearnerSeed]:
        emails: set[str] = set()
        usernames: set[str] = {""}
        for index, record in enumerate(records):
            try:
                learner = learner_seed(record, index)
                if learner.email in emails:
                    raise RecordError("another learner of the file has this email")
                if learner.username and learner.username in usernames:
                    raise RecordError("another learner of the file has this username")
            except RecordError as error:
                self._reject(USERS, index, error)
            else:
                emails.add(learner.email)
                usernames.add(learner.username)
                yield learner

    def _reject(self, file: str, index: int, error: Exception) -> None:
        self.rejected.append(Rejected(file, index, _reason(error)))


def _reason(error: Exception) -> str:
    """The database's own message would show values: only the constraint's name is told."""
    if isinstance(error, DomainError):
        return error.message
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    return f"the database refuses it: {constraint or type(error).__name__}"
