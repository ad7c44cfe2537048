"""The only statements that create or change letters, each with its event."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, models

from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution
from letters.enums import RULESET_VERSION, IssuedVia, LetterAction, LetterState
from letters.models import LetterEvent, LetterValidationRun, ProgramLetter

CHANGEABLE = (
    "state",
    "state_reason",
    "state_note",
    "issued_at",
    "requirements_version_id",
    "ruleset_version",
    "evidence",
    "content_revision_id",
    "recipient_name",
    "revoked_at",
    "revoked_by_id",
    "revocation_reason",
    "reinstated_at",
    "reinstated_by_id",
)
"""What a change may set; the rest of a letter stays as it was created."""


@dataclass(frozen=True)
class Change:
    """What becomes of one letter, which the caller has locked and judged.

    `values` are new values of `CHANGEABLE` columns. `reason` is a code, most often the check
    that decided. `automatic` changes count towards the breaker.
    """

    letter: ProgramLetter
    action: LetterAction
    values: Mapping[str, Any]
    reason: str = ""
    failed_checks: Sequence[str] = ()
    automatic: bool = False


@dataclass(frozen=True)
class NewLetter:
    user_id: int
    program_id: int
    state: LetterState
    action: LetterAction
    issued_via: IssuedVia
    recipient_name: str
    issued_at: datetime | None = None
    state_reason: str = ""
    requirements_version_id: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    content_revision_id: int | None = None
    uuid: UUID = field(default_factory=uuid4)
    automatic: bool = False


def write_changes(
    changes: Sequence[Change], *, by: Attribution, run: LetterValidationRun | None = None
) -> None:
    """Write changes and their events in one statement.

    Raises `ConflictError`, to undo the transaction, when a letter is not the one that the
    caller saw: it was not locked.
    """
    if not changes:
        return
    rows = [_changed_row(change) for change in changes]
    columns = dict.fromkeys(("id", "version", *CHANGEABLE), ProgramLetter) | dict.fromkeys(
        ("action", "from_state", "reason", "failed_checks", "before", "automatic"), LetterEvent
    )
    assignments = ", ".join(f"{name} = given.{name}" for name in CHANGEABLE)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH given AS ({_recordset(columns)}),
            letter AS (
                UPDATE letters_programletter AS letter
                SET {assignments}, version = letter.version + 1, modified = %s,
                    state_changed_at = CASE
                        WHEN letter.state = given.state THEN letter.state_changed_at ELSE %s END,
                    state_changed_by_id = CASE
                        WHEN letter.state = given.state THEN letter.state_changed_by_id
                        ELSE %s::bigint END
                FROM given WHERE letter.id = given.id AND letter.version = given.version
                RETURNING letter.id, letter.version, letter.state
            )
            INSERT INTO letters_letterevent (
                letter_id, letter_version, action, from_state, to_state, reason, note,
                failed_checks, before, automatic, actor_id, cause, run_id, at)
            SELECT letter.id, letter.version, given.action, given.from_state, letter.state,
                   given.reason, %s, given.failed_checks, given.before, given.automatic,
                   %s::bigint, %s, %s::bigint, %s
            FROM letter JOIN given ON given.id = letter.id ORDER BY letter.id
            """,  # noqa: S608 - composed of constants; every value is a parameter
            [json.dumps(rows, default=_as_text), by.at, by.at, _pk(by.actor), *_event(by, run)],
        )
        if cursor.rowcount != len(changes):
            raise ConflictError("A letter changed while it was being judged.")


def create_letters(
    letters: Sequence[NewLetter], *, by: Attribution, run: LetterValidationRun | None = None
) -> list[tuple[int, int]]:
    """Create letters and their events in one statement.

    A learner who has a letter of the program already is left alone. Returns (user_id,
    program_id) of the letters created.
    """
    if not letters:
        return []
    ordered = sorted(letters, key=lambda letter: (letter.program_id, letter.user_id))
    columns: dict[str, type[models.Model]] = dict.fromkeys(("uuid", "user_id", "program_id", "state", "state_reason", "issued_at", "issued_via", "requirements_version_id", "evidence", "content_revision_id", "recipient_name"), ProgramLetter)  # fmt: skip
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH given AS ({_recordset({**columns, "action": LetterEvent, "automatic": LetterEvent})}),
            letter AS (
                INSERT INTO letters_programletter (
                    {names}, created, modified, version, state_changed_at, state_changed_by_id,
                    state_note, issued_by_id, issue_run_id, ruleset_version, revocation_reason)
                SELECT {names}, %s, %s, 1, %s, %s::bigint, '', %s::bigint, %s::bigint, %s, ''
                FROM given ORDER BY program_id, user_id
                ON CONFLICT (user_id, program_id) DO NOTHING
                RETURNING id, uuid, user_id, program_id, state, version
            ),
            event AS (
                INSERT INTO letters_letterevent (
                    letter_id, letter_version, action, from_state, to_state, reason, note,
                    failed_checks, before, automatic, actor_id, cause, run_id, at)
                SELECT letter.id, letter.version, given.action, '', letter.state,
                       given.state_reason, %s, '[]', '{{}}', given.automatic,
                       %s::bigint, %s, %s::bigint, %s
                FROM letter JOIN given ON given.uuid = letter.uuid ORDER BY letter.id
            )
            SELECT user_id, program_id FROM letter
            """,  # noqa: S608 - composed of constants; every value is a parameter
            [
                json.dumps([vars(letter) for letter in ordered], default=_as_text),
                *(by.at, by.at, by.at, _pk(by.actor), _pk(by.actor), _pk(run), RULESET_VERSION),
                *_event(by, run),
            ],
        )
        return list(cursor.fetchall())


def _changed_row(change: Change) -> dict[str, Any]:
    old = {name: getattr(change.letter, name) for name in CHANGEABLE}
    new = {**old, **change.values}
    return {
        **new,
        "id": change.letter.pk,
        "version": change.letter.version,
        "action": change.action,
        "from_state": change.letter.state,
        "reason": change.reason,
        "failed_checks": list(change.failed_checks),
        "before": {name: old[name] for name in CHANGEABLE if old[name] != new[name]},
        "automatic": change.automatic,
    }


def _recordset(columns: Mapping[str, type[models.Model]]) -> str:
    types = ", ".join(f"{name} {_type(model, name)}" for name, model in columns.items())
    return f"SELECT * FROM jsonb_to_recordset(%s::jsonb) AS row ({types})"  # noqa: S608 - names of our own columns


def _type(model: type[models.Model], attname: str) -> str | None:
    columns = {column.attname: column for column in model._meta.concrete_fields}
    return columns[attname].cast_db_type(connection)


def _event(by: Attribution, run: LetterValidationRun | None) -> tuple[Any, ...]:
    return by.reason, _pk(by.actor), by.cause, _pk(run), by.at


def _pk(row: models.Model | None) -> Any:
    return row.pk if row else None


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a letter")
