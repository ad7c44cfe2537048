"""The only statements that create or change letters, each with its event."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, models

from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution
from letters.enums import RULESET_VERSION, IssuedVia, LetterAction, LetterState, Notice
from letters.models import LetterEvent, LetterValidationRun, ProgramLetter
from letters.services.notices import (
    QueuedNotice,
    letters_with_good_news_waiting,
    queue_notices,
    queue_notices_of_issue,
)
from letters.services.texts import PublishedTexts, published_texts

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
    "first_visible_at",
    "told_withdrawn_at",
    "revoked_at",
    "revoked_by_id",
    "revocation_reason",
    "reinstated_at",
    "reinstated_by_id",
)
"""What a change may set; the rest of a letter stays as it was created."""

LASTING = ("content_revision_id", "first_visible_at", "told_withdrawn_at")
"""What a change brings along and nothing takes back: how the letter is seen, and who knows."""


@dataclass(frozen=True)
class Change:
    """What becomes of one letter, which the caller has locked and judged.

    `values` are new values of `CHANGEABLE` columns. `reason` is a code, most often the check
    that decided. `automatic` changes count towards the breaker. `cause` is what led to it; empty:
    whoever writes it.
    """

    letter: ProgramLetter
    action: LetterAction
    values: Mapping[str, Any]
    reason: str = ""
    failed_checks: Sequence[str] = ()
    automatic: bool = False
    cause: str = ""


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
    first_visible_at: datetime | None = None
    uuid: UUID = field(default_factory=uuid4)
    automatic: bool = False
    cause: str = ""


def write_changes(
    changes: Sequence[Change],
    *,
    by: Attribution,
    run: LetterValidationRun | None = None,
    notify: bool = False,
) -> None:
    """Write changes and their events in one statement.

    A letter that becomes active is pinned to a text that is shown, where its program has one; one
    that a rollback leaves active, perhaps without being true, is shown only with its own text.
    With `notify`, holders who could have seen a letter that is withdrawn are told; whoever was
    told learns that it is valid again, asked or not. Raises `ConflictError`, to undo the
    transaction, when a letter is not the one that the caller saw: it was not locked.
    """
    if not changes:
        return
    texts = published_texts({change.letter.program_id for change in changes})
    notices = {c.letter.pk: notice for c in changes if (notice := _notice(c, notify))}
    changes = _told([_with_text(change, texts, by.at) for change in changes], notices, at=by.at)
    rows = [_changed_row(change) | {"cause": change.cause or by.cause} for change in changes]
    columns = dict.fromkeys(("id", "version", *CHANGEABLE), ProgramLetter) | dict.fromkeys(
        ("action", "from_state", "reason", "failed_checks", "before", "automatic", "cause"),
        LetterEvent,
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
                   %s::bigint, given.cause, %s::bigint, %s
            FROM letter JOIN given ON given.id = letter.id ORDER BY letter.id
            """,  # noqa: S608 - composed of constants; every value is a parameter
            [json.dumps(rows, default=_as_text), by.at, by.at, _pk(by.actor), *_event(by, run)],
        )
        if cursor.rowcount != len(changes):
            raise ConflictError("A letter changed while it was being judged.")
    _queue_notices(changes, notices, at=by.at)


def create_letters(
    letters: Sequence[NewLetter], *, by: Attribution, run: LetterValidationRun | None = None
) -> list[tuple[int, int]]:
    """Create letters and their events in one statement.

    A learner who has a letter of the program already is left alone. Active ones are pinned to
    the text that the program shows, if any. Returns (user_id, program_id) of the letters created.
    """
    if not letters:
        return []
    texts = published_texts({letter.program_id for letter in letters})
    ordered = [
        _new_with_text(letter, texts, by.at)
        for letter in sorted(letters, key=lambda letter: (letter.program_id, letter.user_id))
    ]
    columns: dict[str, type[models.Model]] = dict.fromkeys(("uuid", "user_id", "program_id", "state", "state_reason", "issued_at", "issued_via", "requirements_version_id", "evidence", "content_revision_id", "first_visible_at", "recipient_name"), ProgramLetter)  # fmt: skip
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH given AS ({_recordset(columns | dict.fromkeys(("action", "automatic", "cause"), LetterEvent))}),
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
                       %s::bigint, given.cause, %s::bigint, %s
                FROM letter JOIN given ON given.uuid = letter.uuid ORDER BY letter.id
            )
            SELECT user_id, program_id, id, uuid FROM letter
            """,  # noqa: S608 - composed of constants; every value is a parameter
            [
                json.dumps(
                    [vars(one) | {"cause": one.cause or by.cause} for one in ordered],
                    default=_as_text,
                ),
                *(by.at, by.at, by.at, _pk(by.actor), _pk(by.actor), _pk(run), RULESET_VERSION),
                *_event(by, run),
            ],
        )
        created = cursor.fetchall()
    news = {
        str(new.uuid)
        for new in ordered
        if new.action == LetterAction.ISSUED and new.first_visible_at
    }
    queue_notices_of_issue(
        [(pk, 1, program_id) for _user, program_id, pk, uuid in created if str(uuid) in news],
        at=by.at,
    )
    return [(user_id, program_id) for user_id, program_id, _pk, _uuid in created]


def _with_text(change: Change, texts: PublishedTexts, at: datetime) -> Change:
    """Add the text to a letter that becomes active, and when it was first seen."""
    letter, values = change.letter, dict(change.values)
    if values.get("state", letter.state) == LetterState.ACTIVE:
        pinned = letter.content_revision_id
        text = texts.for_letter(letter.program_id, pinned=pinned)
        # Whether what was never judged may be seen with another text asks a publication.
        if text and (text == pinned or change.action != LetterAction.ROLLED_BACK):
            values.setdefault("content_revision_id", text)
            values.setdefault("first_visible_at", letter.first_visible_at or at)
    return replace(change, values=values)


def _new_with_text(letter: NewLetter, texts: PublishedTexts, at: datetime) -> NewLetter:
    text = texts.for_letter(letter.program_id, pinned=None)
    if letter.state != LetterState.ACTIVE or text is None:
        return letter
    return replace(letter, content_revision_id=text, first_visible_at=at)


def _notice(change: Change, notify: bool) -> Notice | None:
    """What the holder is told: of a withdrawal only if wanted, and only who could have seen the
    letter; that it is valid again, whoever was told of that."""
    letter, becomes = change.letter, _becomes(change)
    if becomes == LetterState.ACTIVE:
        return Notice.VALID_AGAIN if letter.told_withdrawn_at else None
    if notify and becomes != letter.state and letter.first_visible_at:
        return Notice.WITHDRAWN
    return None


def _told(
    changes: Sequence[Change], notices: Mapping[int, Notice], *, at: datetime
) -> list[Change]:
    """Note on each letter since when its holder takes it for withdrawn, or is about to.

    Who is not told of a withdrawal, and not yet that the letter was valid meanwhile, still does.
    """
    hushed = [
        change.letter.pk
        for change in changes
        if change.letter.pk not in notices and _becomes(change) != LetterState.ACTIVE
    ]
    noted = {
        **dict.fromkeys(letters_with_good_news_waiting(hushed), at),
        **{pk: at if notice == Notice.WITHDRAWN else None for pk, notice in notices.items()},
    }
    return [
        replace(
            change,
            values={
                **change.values,
                "told_withdrawn_at": noted.get(change.letter.pk, change.letter.told_withdrawn_at),
            },
        )
        for change in changes
    ]


def _becomes(change: Change) -> LetterState:
    return LetterState(change.values.get("state", change.letter.state))


def _queue_notices(
    changes: Sequence[Change], notices: Mapping[int, Notice], *, at: datetime
) -> None:
    """Queue the mails that changes ask for; `notices` are those about what a letter is worth."""
    queue_notices(
        [
            QueuedNotice(change.letter.pk, change.letter.version + 1, notices[change.letter.pk])
            for change in changes
            if change.letter.pk in notices
        ],
        at=at,
    )
    queue_notices_of_issue(
        [
            (change.letter.pk, change.letter.version + 1, change.letter.program_id)
            for change in changes
            if change.action == LetterAction.RELEASED and change.values.get("content_revision_id")
        ],
        at=at,
    )


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
    return by.reason, _pk(by.actor), _pk(run), by.at


def _pk(row: models.Model | None) -> Any:
    return row.pk if row else None


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a letter")
