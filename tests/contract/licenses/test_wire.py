"""Recorded requests of the old license-manager's clients, and what they are answered.

In the recorded answers `<days>` is the number of whole days until the plan ends, and `<portal>`
the portal's address.
"""

import json
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from credentials_portal.accounts.models import User
from tests.contract.licenses.conftest import ENDS
from tests.contract.recordings import ask, recorded_in, told

RECORDED = recorded_in("licenses")


@pytest.mark.parametrize("pair", RECORDED, ids=[pair["name"] for pair in RECORDED])
def test_answers_as_recorded(callers: dict[str, User], pair: dict[str, Any]) -> None:
    response = ask(pair, "/api/v1/", callers)

    assert response.status_code == pair["status"], response.content
    answer = told(response)
    assert answer == filled(pair.get("answer"))
    if isinstance(answer, dict):
        assert list(answer) == list(pair["answer"])


def filled(recorded: Any) -> Any:
    """The recorded answer with what depends on the day and the place."""
    text = json.dumps(recorded)
    days = (ENDS - timezone.now()).days
    return json.loads(
        text.replace('"<days>"', str(days)).replace("<portal>", settings.PORTAL_BASE_URL)
    )
