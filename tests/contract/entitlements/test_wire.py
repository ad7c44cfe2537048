"""Recorded requests of the old entitlements' clients, and what they are answered.

In the recorded answers `<new>` is the uuid of an entitlement that was made.
"""

from typing import Any

import pytest

from credentials_portal.accounts.models import User
from tests.contract.recordings import ask, recorded_in, told

RECORDED = recorded_in("entitlements")
KNOWN = "00000000-"


@pytest.mark.parametrize("pair", RECORDED, ids=[pair["name"] for pair in RECORDED])
def test_answers_as_recorded(callers: dict[str, User], pair: dict[str, Any]) -> None:
    response = ask(pair, "/api/entitlements/v1/", callers)

    assert response.status_code == pair["status"], response.content
    answer = named(told(response))
    assert answer == pair.get("answer")
    if isinstance(answer, dict):
        assert list(answer) == list(pair["answer"])


def named(answer: Any) -> Any:
    """The answer with `<new>` for a uuid that no fixture gave."""
    is_new = isinstance(answer, dict) and not answer.get("uuid", KNOWN).startswith(KNOWN)
    return {**answer, "uuid": "<new>"} if is_new else answer
