"""What the two old front ends ask of enterprise-access, in their order, and what they are answered.

In the recorded answers `<uuid>` is one that was given meanwhile.
"""

import re
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from tests.contract.recordings import ask, recorded_in, told

SEQUENCES = recorded_in("subsidy_requests")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KNOWN = "00000000-0000-4000-8000-"


@pytest.mark.parametrize("sequence", SEQUENCES, ids=[one["name"] for one in SEQUENCES])
def test_answers_as_recorded(callers: dict[str, User], sequence: dict[str, Any]) -> None:
    for step in sequence["steps"]:
        response = ask(step, "/api/v1/", callers)

        assert response.status_code == step["status"], (step, response.content)
        answer = without_new_uuids(told(response))
        assert answer == step["answer"]
        assert orders_of(answer) == orders_of(step["answer"])


def without_new_uuids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_new_uuids(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_new_uuids(each) for each in value]
    is_new = isinstance(value, str) and UUID.fullmatch(value) and not value.startswith(KNOWN)
    return "<uuid>" if is_new else value


def orders_of(value: Any) -> list[Any]:
    """The order of keys, which is frozen, too."""
    if isinstance(value, dict):
        return [[name, orders_of(each)] for name, each in value.items()]
    return [orders_of(each) for each in value] if isinstance(value, list) else []
