"""What an answer says about whether the work was done."""

import httpx
import pytest

from credentials_portal.clients.http import Answer, Result, Unavailable, _judged


@pytest.mark.parametrize(
    ("response", "result"),
    [
        (httpx.Response(200, json={"a": 1}), Answer(200, {"a": 1})),
        (httpx.Response(200), Answer(200)),
        (httpx.Response(200, text="ok"), Answer(200)),
        (
            httpx.Response(200, content=b"{", headers={"Content-Type": "application/json"}),
            Unavailable("no_json", 200),
        ),
        (httpx.Response(200, html="<p>Maintenance</p>"), Unavailable("no_json", 200)),
        (
            httpx.Response(302, headers={"Location": "https://lms.example/login"}),
            Unavailable("http_302", 302),
        ),
    ],
)
def test_a_page_for_people_is_no_answer(response: httpx.Response, result: Result) -> None:
    assert _judged(response) == result
