"""What an answer says about whether the work was done."""

import httpx
import pytest

from credentials_portal.clients import http
from credentials_portal.clients.http import Answer, Refused, Result, Unavailable, _judged


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
        (
            httpx.Response(
                200, content=b"[" * 100_000, headers={"Content-Type": "application/json"}
            ),
            Unavailable("no_json", 200),
        ),
    ],
)
def test_a_page_for_people_is_no_answer(response: httpx.Response, result: Result) -> None:
    assert _judged(response) == result


@pytest.mark.parametrize(
    ("status", "result"), [(200, Unavailable("endless", 200)), (404, Refused(404))]
)
def test_an_answer_without_end_is_none(
    monkeypatch: pytest.MonkeyPatch, status: int, result: Result
) -> None:
    monkeypatch.setattr(http, "MOST_BYTES", 10)

    assert _judged(httpx.Response(status, json=["0123456789"])) == result


def test_an_answer_that_arrives_drop_by_drop_ends() -> None:
    assert _judged(httpx.Response(200, json=[]), ends_at=0.0) == Unavailable("endless", 200)
