"""Small bar charts, drawn on the server: one row of bars for each kind of thing, day by day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from credentials_portal.core.counting import DailyCounts

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# In units of the drawing: whole numbers, which every language writes alike.
STEP, GAP, HEIGHT = 10, 2, 40


@dataclass(frozen=True)
class Bar:
    day: date
    number: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Series:
    name: "str | _StrPromise"
    bars: tuple[Bar, ...]

    @property
    def total(self) -> int:
        return sum(bar.number for bar in self.bars)

    @property
    def peak(self) -> Bar:
        """The highest bar, of several the latest."""
        return max(self.bars, key=lambda bar: (bar.number, bar.day))


@dataclass(frozen=True)
class Chart:
    """`begins`: nothing before that day is counted; None: everything is."""

    series: tuple[Series, ...]
    days: tuple[date, ...]
    begins: date | None

    @property
    def width(self) -> int:
        return STEP * len(self.days)

    @property
    def height(self) -> int:
        return HEIGHT

    @property
    def rows(self) -> list[tuple[date, list[int]]]:
        """What the table beside it says: the numbers of each day, the newest first."""
        columns = [[bar.number for bar in series.bars] for series in self.series]
        numbers = [list(row) for row in zip(*columns, strict=True)]
        return list(zip(self.days, numbers, strict=True))[::-1]


def chart_of(counts: DailyCounts, names: "Mapping[str, str | _StrPromise]") -> Chart:
    """One series for each kind that has a name, each in a scale of its own."""
    return Chart(
        series=tuple(
            Series(name, _bars(counts.days, counts.by_kind[kind])) for kind, name in names.items()
        ),
        days=counts.days,
        begins=counts.begins,
    )


def _bars(days: tuple[date, ...], numbers: tuple[int, ...]) -> tuple[Bar, ...]:
    highest = max(numbers)
    return tuple(
        _bar(day, number, x=STEP * position, of=highest)
        for position, (day, number) in enumerate(zip(days, numbers, strict=True))
    )


def _bar(day: date, number: int, *, x: int, of: int) -> Bar:
    """Whatever is not 0 can be seen."""
    height = -(-number * HEIGHT // of) if number else 0
    return Bar(day, number, x + GAP // 2, HEIGHT - height, STEP - GAP, height)
