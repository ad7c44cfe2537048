"""Who learns at the demo institution, and which letters they had from its old system.

All are invented, and the same each time. "Program 5" is the incident of the story: letters of
19 December 2019 for everybody who was enrolled while the program had no course.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from credentials_portal.web.demo.catalog import (
    DATA_SCIENCE,
    DEVELOPMENT,
    OTHERS,
    PROGRAM_5,
    SUPPLY_CHAINS,
    Program,
    Run,
)
from letters.services import LetterRecord

DEMO_LEARNER = "learner"
FALSE_LETTERS_OF_PROGRAM_5 = 1_024
GENUINE_LETTERS_OF_PROGRAM_5 = 10
GENUINE_LETTERS_OF_EACH_OTHER = 6
LEARNERS_UNDER_WAY = 60
LEARNERS_OF_AN_EMPTY_PROGRAM = 12

INCIDENT = datetime(2019, 12, 19, 17, 30, tzinfo=UTC)
# The old system issued letters some days after the last grade.
PROCESSING = timedelta(days=9)
FAILING = Decimal("0.00")


@dataclass
class Learner:
    """A person with the runs that they took. A run without a grade is under way."""

    username: str
    name: str
    grades: dict[Run, Decimal | None] = field(default_factory=dict)
    letters: dict[Program, datetime] = field(default_factory=dict)

    def pass_runs(self, *runs: Run) -> None:
        for run in runs:
            points = sum(map(ord, f"{self.username}{run.key}")) % 36
            self.grades[run] = Decimal(64 + points) / 100

    def fail(self, run: Run) -> None:
        self.grades[run] = FAILING

    def take(self, *runs: Run) -> None:
        self.grades.update(dict.fromkeys(runs))

    def complete(self, program: Program, *, began: int) -> None:
        """Pass what the program asks for, and get the letter for it."""
        path = program.path(began)
        self.pass_runs(*path)
        self.letters[program] = path[-1].ends_at + PROCESSING

    def as_record(self) -> dict[str, Any]:
        """As MicroMasters' users file has it."""
        return {
            "username": self.username,
            "email": f"{self.username}@example.org",
            "preferred_name": self.name,
            "_enrollments": [{"edx_course_key": run.key} for run in self.grades],
            "_grades": [
                {"edx_course_key": run.key, "grade": grade}
                for run, grade in self.grades.items()
                if grade is not None
            ],
        }

    def letter_records(self) -> Iterator[LetterRecord]:
        for program, issued_at in self.letters.items():
            yield LetterRecord(
                uuid=letter_uuid(self.username, program),
                username=self.username,
                program=str(program.uuid),
                is_active=True,
                created_on=issued_at,
            )


def letter_uuid(username: str, program: Program) -> UUID:
    """The same in every demo, so that the guide can name letters."""
    return uuid5(NAMESPACE_URL, f"demo:{username}:{program.title}")


@dataclass(frozen=True)
class Cohort:
    """Everybody, and the record of one of them as it was corrected later."""

    learners: tuple[Learner, ...]
    enrolled_in_empty_program: tuple[Learner, ...]
    corrected: Learner


def cohort() -> Cohort:
    people = _people()
    false = [_misled(INCIDENT, place, next(people)) for place in range(FALSE_LETTERS_OF_PROGRAM_5)]
    _make_demo_learner(false[0])
    lowered = _lowered(next(people))
    learners = [
        *false,
        _without_capstone(next(people)),
        _without_elective(next(people)),
        lowered,
        *_graduates(people),
        *(_under_way(place, next(people)) for place in range(LEARNERS_UNDER_WAY)),
    ]
    waiting = [next(people) for _ in range(LEARNERS_OF_AN_EMPTY_PROGRAM)]
    correction = Learner(lowered.username, lowered.name, {_lowered_run(): Decimal("0.52")})
    return Cohort((*learners, *waiting), tuple(waiting), correction)


def _misled(issued_at: datetime, place: int, learner: Learner) -> Learner:
    """Enrolled in program 5 when it had no course; never passed one of those added later."""
    learner.fail(Run("PD2", 2020, is_autumn=True))
    learner.letters[PROGRAM_5] = issued_at + timedelta(milliseconds=9 * place)
    return learner


def _make_demo_learner(learner: Learner) -> None:
    """A false letter, a genuine one, and a program under way."""
    learner.username, learner.name = DEMO_LEARNER, "Noor Haddad-Lindqvist"
    learner.complete(SUPPLY_CHAINS, began=2022)
    path = DEVELOPMENT.path(2025)
    learner.pass_runs(*path[:2])
    learner.take(path[2])


def _without_capstone(learner: Learner) -> Learner:
    learner.complete(SUPPLY_CHAINS, began=2020)
    del learner.grades[SUPPLY_CHAINS.path(2020)[-1]]
    return learner


def _without_elective(learner: Learner) -> Learner:
    learner.complete(DEVELOPMENT, began=2021)
    del learner.grades[DEVELOPMENT.path(2021)[-1]]
    return learner


def _lowered(learner: Learner) -> Learner:
    """Passed everything, as far as was known then."""
    learner.complete(DATA_SCIENCE, began=2020)
    learner.grades[_lowered_run()] = Decimal("0.66")
    return learner


def _lowered_run() -> Run:
    return DATA_SCIENCE.path(2020)[1]


def _graduates(people: Iterator[Learner]) -> Iterator[Learner]:
    """All with a genuine letter but the demo's learner, who has one of supply chains."""
    for place in range(GENUINE_LETTERS_OF_PROGRAM_5):
        learner = next(people)
        learner.complete(PROGRAM_5, began=2021 + place % 4)
        yield learner
    for program in OTHERS:
        others = GENUINE_LETTERS_OF_EACH_OTHER - (program is SUPPLY_CHAINS)
        for place in range(others):
            learner = next(people)
            learner.complete(program, began=2019 + place % 5)
            yield learner


def _under_way(place: int, learner: Learner) -> Learner:
    """Passed some courses, failed one or not, and is in the next one."""
    program = [*OTHERS, PROGRAM_5][place % 6]
    path = program.path(2023)
    passed = place % (len(path) - 1)
    learner.pass_runs(*path[:passed])
    if place % 4 == 0:
        learner.fail(path[passed])
    learner.take(path[passed + 1])
    return learner


def _people() -> Iterator[Learner]:
    """People without end, no two of the same name before the 1,200th."""
    for number in count():
        culture = _names()[number % len(_names())]
        nth = number // len(_names())
        name = culture["order"].format(
            given=culture["given"][nth % len(culture["given"])],
            family=culture["family"][(nth + nth // len(culture["given"])) % len(culture["family"])],
        )
        yield Learner(f"learner{number:04}", name)


@cache
def _names() -> list[dict[str, Any]]:
    names: list[dict[str, Any]] = json.loads(
        Path(__file__).with_name("names.json").read_text(encoding="utf-8")
    )
    return names
