"""A program record in the words of the older service: what its JSON and its CSV say."""

import csv
import io
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.text import slugify

from credentials_portal.accounts.models import User
from credentials_portal.core.report import csv_cell
from programs.enums import CreditRequestStatus, PathwayType
from programs.models import SharedProgramRecord
from programs.selectors.checklist import CreditOffer
from programs.selectors.records import ProgramRecord, RecordRow

WITHOUT_LETTER = "N/A"
COLUMNS = (
    *("name", "school", "attempts", "course_id"),
    *("issue_date", "percent_grade", "letter_grade"),
)
LONGEST_NAME = 100


class ShownLearner(NamedTuple):
    """Of a learner what a reader of the record is to see; empty: nothing."""

    full_name: str
    username: str = ""
    email: str = ""

    @classmethod
    def in_full(cls, user: User) -> "ShownLearner":
        return cls(user.get_full_name(), user.username, user.email)

    @classmethod
    def behind(cls, link: SharedProgramRecord) -> "ShownLearner":
        """What the link shows: the name, and what the learner chose to show with it.

        A username never stands in for a name that nobody knows.
        """
        user = link.user
        return cls(
            user.full_name or f"{user.first_name} {user.last_name}".strip(),
            user.username if link.show_username else "",
            user.email if link.show_email else "",
        )


class RecordFile(NamedTuple):
    name: str
    content: str


def record_in_words(
    record: ProgramRecord,
    learner: ShownLearner,
    *,
    offers: Iterable[CreditOffer] = (),
    shared_uuid: str | None = None,
    is_public: bool = False,
) -> dict[str, Any]:
    """The record as its clients read it in JSON.

    Public, it does not say why a course does not count: that somebody failed is theirs to tell.
    """
    program = record.program
    return {
        "learner": learner._asdict(),
        "program": {
            "name": program.title,
            "type": slugify(program.type),
            "type_name": program.type,
            "completed": record.is_completed,
            "empty": record.is_empty,
            "last_updated": _instant(record.last_updated),
            "school": record.school,
        },
        "platform_name": settings.PLATFORM_NAME,
        "grades": [_row(row) if is_public else _with_reason(row) for row in record.rows],
        "pathways": [
            {
                "name": offer.name,
                "id": offer.pathway_id,
                "status": CreditRequestStatus.SENT.value if offer.asked_at else "",
                "is_active": True,
                "pathway_type": PathwayType.CREDIT.value,
            }
            for offer in offers
        ],
        "shared_program_record_uuid": shared_uuid,
    }


def record_csv(record: ProgramRecord, learner: ShownLearner) -> RecordFile:
    """The record as a table below eight lines of what it is about; safe in a spreadsheet.

    The file is named after the program: a name may be seen where the file is not.
    """
    lines: list[list[Any]] = [
        ["Program Name", record.program.title],
        ["Program Type", record.program.type],
        ["Platform Provider", settings.PLATFORM_NAME],
        ["Authoring Organization(s)", record.school],
        ["Learner Name", learner.full_name],
        ["Username", learner.username],
        ["Email", learner.email],
        [""],
        list(COLUMNS),
        *([told[name] for name in COLUMNS] for told in map(_row, record.rows)),
    ]
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(map(csv_cell, line) for line in lines)
    return RecordFile(f"{_file_stem(record)}_grades.csv", file.getvalue())


def record_json(record: ProgramRecord, learner: ShownLearner) -> RecordFile:
    """The record as its JSON says it, to keep: without what a learner can do with it here."""
    told = record_in_words(record, learner)
    kept = {name: told[name] for name in ("learner", "program", "platform_name", "grades")}
    content = json.dumps(kept, indent=2, ensure_ascii=False)
    return RecordFile(f"{_file_stem(record)}_record.json", f"{content}\n")


def _file_stem(record: ProgramRecord) -> str:
    stem = re.sub(r"\W+", "_", record.program.title.lower())[:LONGEST_NAME].strip("_")
    return stem or "program"


def _row(row: RecordRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "school": row.school,
        "attempts": row.attempts if row.has_grade else "",
        "course_id": row.run_key,
        "issue_date": _instant(row.issued_at),
        "percent_grade": "" if row.percent_grade is None else float(row.percent_grade),
        "letter_grade": (row.letter_grade or WITHOUT_LETTER) if row.has_grade else "",
    }


def _with_reason(row: RecordRow) -> dict[str, Any]:
    """With why the course does not count, where it does not: keys that old clients ignore."""
    told = _row(row)
    if row.reason:
        told["reason"] = row.reason.value
    if row.reason_until:
        told["reason_until"] = _instant(row.reason_until)
    return told


def _instant(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat() if at else ""
