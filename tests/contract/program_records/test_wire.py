"""What the learner record front end, the support tools and the LMS ask of the old credentials
service, in their order, and what they are answered.

In the recorded answers `<new>` is the uuid of a link that was made meanwhile, in 32 digits, and
`<token>` one against forgery.
"""

import re
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from tests.contract.recordings import ask, recorded_in, told

SEQUENCES = recorded_in("program_records")
HEX = re.compile(r"\b[0-9a-f]{32}\b")
KNOWN = "00000000000040008000"


@pytest.mark.parametrize("sequence", SEQUENCES, ids=[one["name"] for one in SEQUENCES])
def test_answers_as_recorded(callers: dict[str, User], sequence: dict[str, Any]) -> None:
    for step in sequence["steps"]:
        response = ask(step, "/", callers)

        assert response.status_code == step["status"], (step, response.content)
        assert marked(response.headers.get("Location")) == step.get("location")
        answer = marked(answered(response))
        assert answer == step.get("answer")
        assert orders_of(answer) == orders_of(step.get("answer"))


def answered(response: Any) -> Any:
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    if kind == "text/csv":
        return response.content.decode().split("\r\n")
    return told(response) if kind == "application/json" else None


def marked(value: Any) -> Any:
    """With marks for what differs each time."""
    if isinstance(value, dict):
        return {
            name: "<token>" if name == "csrfToken" else marked(each) for name, each in value.items()
        }
    if isinstance(value, list):
        return [marked(each) for each in value]
    return HEX.sub(_mark, value) if isinstance(value, str) else value


def _mark(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith(KNOWN) else "<new>"


def orders_of(value: Any) -> list[Any]:
    """The order of keys, which is frozen, too."""
    if isinstance(value, dict):
        return [[name, orders_of(each)] for name, each in value.items()]
    return [orders_of(each) for each in value] if isinstance(value, list) else []
