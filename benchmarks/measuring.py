"""Time, statements and memory of a piece of work."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from django.db import connection


@dataclass
class Measurement:
    """`seconds`, SQL `statements`, and `memory_mb`: how much the process' peak grew."""

    name: str
    seconds: float = 0.0
    statements: int = 0
    memory_mb: float = 0.0

    def show(self, floor: "Measurement | None" = None) -> None:
        ratio = f"{self.seconds / floor.seconds:>6.2f} x" if floor else " " * 8
        print(
            f"  {self.name:<58} {self.seconds:>8.2f} s {ratio}"
            f" {self.statements:>7} statements {self.memory_mb:>7.1f} MB"
        )


@contextmanager
def measured(name: str) -> Iterator[Measurement]:
    measurement = Measurement(name)

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        measurement.statements += 1
        return execute(sql, params, many, context)

    before, start = _forget_peak(), perf_counter()
    with connection.execute_wrapper(count):
        yield measurement
    measurement.seconds = perf_counter() - start
    measurement.memory_mb = _peak_mb() - before


@contextmanager
def own_database() -> Iterator[None]:
    """Work on a fresh database beside the configured one, which is dropped afterwards."""
    name = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"{name}_benchmark"
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def _forget_peak() -> float:
    """Begin a new peak of the process' memory (Linux); returns where it begins."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_mb()


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
