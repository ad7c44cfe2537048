from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)
Row = Mapping[str, Any]

KINDS = (
    "programs",
    "courses",
    "course_runs",
    "learners",
    "course_enrollments",
    "program_enrollments",
    "grades",
)
CREATED, CHANGED, UNCHANGED = STATES = ("created", "changed", "unchanged")


class Tally:
    """How many rows of each kind were created, changed and left unchanged."""

    def __init__(self) -> None:
        self.counts = {kind: Counter[str]() for kind in KINDS}

    def add(self, kind: str, state: str) -> None:
        self.counts[kind][state] += 1

    def compare(self, kind: str, wanted: Mapping[K, Row], stored: Mapping[K, Row]) -> list[K]:
        """Count `wanted` rows by what they do to the `stored` ones; the keys of those to write."""
        to_write = []
        for key, row in wanted.items():
            if key not in stored:
                self.add(kind, CREATED)
            elif row.items() <= stored[key].items():
                self.add(kind, UNCHANGED)
                continue
            else:
                self.add(kind, CHANGED)
            to_write.append(key)
        return to_write

    def merge(self, other: "Tally") -> None:
        for kind, counts in other.counts.items():
            self.counts[kind].update(counts)

    def as_counters(self) -> dict[str, dict[str, int]]:
        return {
            kind: {state: counts[state] for state in STATES} for kind, counts in self.counts.items()
        }
