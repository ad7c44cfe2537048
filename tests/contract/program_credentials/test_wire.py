"""What the LMS tells and asks of the old credentials service, and the support tools ask, in their
order, and what they are answered.

In the recorded answers `<new>` is the uuid of a certificate that was made meanwhile, and `<id>` the
number of a row.
"""

import re
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from tests.contract.recordings import ask, recorded_in, told

SEQUENCES = recorded_in("program_credentials")
UUID = re.compile(r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b")
KNOWN_ROWS = range(400, 600)


@pytest.mark.parametrize("sequence", SEQUENCES, ids=[one["name"] for one in SEQUENCES])
def test_answers_as_recorded(callers: dict[str, User], sequence: dict[str, Any]) -> None:
    for step in sequence["steps"]:
        response = ask(step, "/", callers)

        assert response.status_code == step["status"], (step, response.content)
        assert response.headers.get("Location") == step.get("location")
        answer = marked(told(response))
        assert answer == step.get("answer")
        assert orders_of(answer) == orders_of(step.get("answer"))


def marked(value: Any) -> Any:
    """With marks for what differs each time."""
    if isinstance(value, dict):
        return {name: _row(name, marked(each)) for name, each in value.items()}
    if isinstance(value, list):
        return [marked(each) for each in value]
    return UUID.sub(_mark, value) if isinstance(value, str) else value


def _row(name: str, value: Any) -> Any:
    return "<id>" if name == "id" and value not in KNOWN_ROWS else value


def _mark(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith("00000000") else "<new>"


def orders_of(value: Any) -> list[Any]:
    """The order of keys, which is frozen, too."""
    if isinstance(value, dict):
        return [[name, orders_of(each)] for name, each in value.items()]
    return [orders_of(each) for each in value] if isinstance(value, list) else []
