"""Commands as an operator runs them."""

import json
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.core.management import CommandError, call_command


@dataclass(frozen=True)
class Ran:
    """How a command ended: its exit code, its summary, what it said on the way out."""

    code: int
    summary: dict[str, Any]
    error: str
    stderr: str


def run_command(*arguments: object) -> Ran:
    out, err = StringIO(), StringIO()
    code, error = 0, ""
    try:
        call_command(*map(str, arguments), "--format", "json", stdout=out, stderr=err)
    except CommandError as failure:
        code, error = failure.returncode, str(failure)
    lines = out.getvalue().splitlines()
    return Ran(code, json.loads(lines[-1]) if lines else {}, error, err.getvalue())
