"""What the suite asks of itself."""

from collections import Counter

import pytest


def test_no_two_tests_share_an_id(request: pytest.FixtureRequest) -> None:
    """Of those that do, pytest-xdist runs one."""
    ids = Counter(item.nodeid for item in request.session.items)

    assert [nodeid for nodeid, count in ids.items() if count > 1] == []
