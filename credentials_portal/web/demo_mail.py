"""The demo's letterbox: messages that Django's file backend wrote instead of sending them."""

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

# The backend's line after each message; the next message begins with this header.
SEPARATOR = re.compile(rb"\n-{79}\n(?=\Z|Content-Type: )")


@dataclass(frozen=True)
class Mail:
    subject: str
    sender: str
    to: str
    sent_at: datetime | None
    text: str


def mails_in(folder: Path) -> list[Mail]:
    """The messages in `folder`, newest first."""
    newest_first = sorted(
        folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True
    )
    return [mail for path in newest_first for mail in _mails(path)]


def _mails(path: Path) -> Iterator[Mail]:
    for raw in reversed(SEPARATOR.split(path.read_bytes())):
        if not raw.strip():
            continue
        message = email.message_from_bytes(raw, policy=email.policy.default)
        body = message.get_body(("plain", "html"))
        date = message["date"]
        yield Mail(
            subject=str(message["subject"] or ""),
            sender=str(message["from"] or ""),
            to=str(message["to"] or ""),
            sent_at=date.datetime if date else None,
            text=body.get_content() if body else "",
        )
