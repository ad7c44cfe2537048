"""Letters as rows of a report."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from letters.enums import describe_reason
from letters.models import ProgramLetter

LETTER_COLUMNS = (
    *("letter_uuid", "program", "user_id", "username", "issued_at", "issued_via"),
    *("state", "state_changed_at", "state_reason", "reason", "note", "first_visible_at"),
)


def letter_rows(letters: "QuerySet[ProgramLetter]") -> Iterator[dict[str, Any]]:
    """Letters for a report (`LETTER_COLUMNS`)."""
    for letter in letters.select_related("program", "user").iterator(chunk_size=2_000):
        yield {
            "letter_uuid": letter.uuid,
            "program": letter.program.title,
            "user_id": letter.user_id,
            "username": letter.user.username,
            "issued_at": letter.issued_at,
            "issued_via": letter.issued_via,
            "state": letter.state,
            "state_changed_at": letter.state_changed_at,
            "state_reason": letter.state_reason,
            "reason": describe_reason(letter.state_reason),
            "note": letter.state_note,
            "first_visible_at": letter.first_visible_at,
        }
