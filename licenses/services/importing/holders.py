"""Who holds a seat: of the live licenses of one learner in a plan one is kept."""

import json
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from licenses.enums import LicenseStatus
from licenses.models import License

HOLDER = "holder"
"""No model of the old service: a kind of what a dry run notes."""

Key = tuple[UUID, str | int]
Rank = tuple[bool, bool, datetime]


class Holder(NamedTuple):
    """A live license, by what makes its learner the only one in a plan; `pk` if it is stored."""

    uuid: UUID
    rank: Rank
    keys: tuple[Key, ...]
    pk: int | None = None

    @classmethod
    def of_text(cls, text: str) -> "Holder":
        uuid, (has_request, is_activated, date), keys, pk = json.loads(text)
        rank = (has_request, is_activated, datetime.fromisoformat(date))
        return cls(UUID(uuid), rank, tuple((UUID(plan), name) for plan, name in keys), pk)

    def as_text(self) -> str:
        return json.dumps(self, default=str)


def as_text(key: Key) -> str:
    return json.dumps(key, default=str)


def holder_of(license: License, plan_uuid: UUID) -> Holder:
    known = (license.user_email or None, license.lms_user_id)
    is_activated = license.status == LicenseStatus.ACTIVATED
    date = license.activation_date if is_activated else license.assigned_date
    rank = (
        license.source_request_uuid is not None,
        is_activated,
        date or datetime.min.replace(tzinfo=UTC),
    )
    keys = tuple((plan_uuid, name) for name in known if name is not None)
    return Holder(license.uuid, rank, keys, license.pk)
