"""What the demo institution teaches, in the form of MicroMasters' programs file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from programs.services.micromasters.records import program_seed

LAST_YEAR = 2026


@dataclass(frozen=True)
class Run:
    """One term of a course: it ends in the year in which it starts."""

    course: str
    year: int
    is_autumn: bool

    @property
    def key(self) -> str:
        return f"course-v1:NBx+{self.course}+{3 if self.is_autumn else 1}T{self.year}"

    @property
    def starts_at(self) -> datetime:
        return datetime(self.year, 9 if self.is_autumn else 2, 1, tzinfo=UTC)

    @property
    def ends_at(self) -> datetime:
        return datetime(self.year, 12 if self.is_autumn else 6, 15, tzinfo=UTC)

    def as_record(self) -> dict[str, str]:
        return {
            "edx_course_key": self.key,
            "start_date": self.starts_at.isoformat(),
            "end_date": self.ends_at.isoformat(),
        }


@dataclass(frozen=True, eq=False)
class Program:
    """A program whose courses run once a year, in spring and autumn by turns.

    Courses are (code, title). The capstone, where there is one, is the last of the core.
    """

    title: str
    core: Sequence[tuple[str, str]]
    electives: Sequence[tuple[str, str]] = ()
    required_electives: int = 0
    first_year: int = 2019

    @property
    def uuid(self) -> UUID:
        return program_seed(self.as_record()).uuid

    def path(self, began: int) -> list[Run]:
        """The runs of who begins in spring of that year, and takes one course each term."""
        needed = [*self.core, *self.electives[: self.required_electives]]
        return [
            Run(code, began + place // 2, is_autumn=place % 2 == 1)
            for place, (code, _title) in enumerate(needed)
        ]

    def as_record(self) -> dict[str, Any]:
        courses = [
            self._course(place, *course)
            for place, course in enumerate([*self.core, *self.electives])
        ]
        electives = {
            "title": "Electives",
            "required_number": self.required_electives,
            "courses": courses[len(self.core) :],
        }
        return {
            "title": self.title,
            "courses": courses[: len(self.core)],
            "elective_sets": [electives] if self.electives else [],
        }

    def _course(self, place: int, code: str, title: str) -> dict[str, Any]:
        years = range(self.first_year + place // 2, LAST_YEAR + 1)
        runs = [Run(code, year, is_autumn=place % 2 == 1).as_record() for year in years]
        return {"title": title, "course_runs": runs}


SUPPLY_CHAINS = Program(
    "Supply Chain Practice",
    core=[
        ("SC1", "Supply Chain Analytics"),
        ("SC2", "Warehouses and Transport"),
        ("SC3", "Designing a Supply Chain"),
        ("SC4", "Supply Chain Systems"),
        ("SC5", "Capstone: From End to End"),
    ],
)
DATA_SCIENCE = Program(
    "Data Science in Practice",
    core=[
        ("DS1", "Probability"),
        ("DS2", "Statistical Inference"),
        ("DS3", "Machine Learning"),
    ],
    electives=[("DS4", "Time Series"), ("DS5", "Causal Questions"), ("DS6", "Data in Society")],
    required_electives=1,
)
DEVELOPMENT = Program(
    "Economics of Development",
    core=[
        ("EC1", "Foundations of Development"),
        ("EC2", "Microeconomics"),
        ("EC3", "Data for Social Scientists"),
    ],
    electives=[
        ("EC4", "Field Experiments"),
        ("EC5", "Political Economy"),
        ("EC6", "Health and Education"),
        ("EC7", "Labour and Migration"),
    ],
    required_electives=2,
)
MANUFACTURING = Program(
    "Modern Manufacturing",
    core=[
        ("MF1", "Processes and Materials"),
        ("MF2", "Quality and Variation"),
        ("MF3", "Factories as Systems"),
        ("MF4", "Capstone: A Line of Your Own"),
    ],
)
# Loaded fifth: in a new database its primary key is 5. Its first courses began in 2020, so it
# was empty, and open for enrollment, when its letters of December 2019 were issued.
PROGRAM_5 = Program(
    "Digital Product Design (program 5)",
    core=[
        ("PD1", "People and Their Needs"),
        ("PD2", "Prototypes and Tests"),
        ("PD3", "Capstone: One Product"),
    ],
    first_year=2020,
)
FINANCE = Program(
    "Sustainable Finance",
    core=[
        ("FN1", "Markets and Prices"),
        ("FN2", "Accounting for Decisions"),
        ("FN3", "Risk and Climate"),
    ],
    electives=[("FN4", "Public Finance"), ("FN5", "Finance for Development")],
    required_electives=1,
)
# Open for enrollment without courses, as program 5 once was.
NOT_YET = Program("Resilient Cities", core=[])

OTHERS = (SUPPLY_CHAINS, DATA_SCIENCE, DEVELOPMENT, MANUFACTURING, FINANCE)
CATALOG = (
    SUPPLY_CHAINS,
    DATA_SCIENCE,
    DEVELOPMENT,
    MANUFACTURING,
    PROGRAM_5,
    FINANCE,
    NOT_YET,
)
