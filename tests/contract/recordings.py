"""Recorded requests of older services' clients, asked again.

In the recorded answers `<now>` is the instant of the request, and `<now+60d>` 60 days after it.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User

DAY = timedelta(days=1)
NEAR_DAYS = range(-10, 1000)


def recorded_in(directory: str) -> list[dict[str, Any]]:
    path = Path(__file__).parent / directory / "recorded.json"
    pairs: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return pairs


def ask(pair: dict[str, Any], prefix: str, callers: dict[str, User]) -> Any:
    """The answer to a recorded request: its body is sent as JSON, or as the form that it is."""
    client = APIClient()
    if pair["as"]:
        client.force_login(callers[pair["as"]])
    if "form" in pair:
        content, content_type = urlencode(pair["form"]), "application/x-www-form-urlencoded"
    else:
        content = json.dumps(pair["body"]) if "body" in pair else ""
        content_type = "application/json"
    return client.generic(
        pair["method"], f"{prefix}{pair['path']}", content, content_type=content_type
    )


def told(response: Any) -> Any:
    """What was answered, with marks for instants that depend on the moment."""
    if response.streaming:
        return b"".join(response.streaming_content).decode().splitlines()
    if response.headers.get("Content-Type") == "text/plain":
        return response.content.decode()
    return _marked(response.json()) if response.content else None


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _marked(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_marked(each) for each in value]
    return _mark(value) if isinstance(value, str) else value


def _mark(text: str) -> str:
    try:
        instant = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return text
    days = round((instant - timezone.now()) / DAY)
    is_near = abs(instant - timezone.now() - days * DAY) < timedelta(minutes=5)
    if not is_near or days not in NEAR_DAYS:
        return text
    return f"<now{days:+}d>" if days else "<now>"
