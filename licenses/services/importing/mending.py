"""Licenses of the old license-manager, mended by the rules of the life cycle."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from licenses.enums import LicenseStatus
from licenses.models import License, SubscriptionPlan
from licenses.services.importing.rows import (
    BadRowError,
    Row,
    email_of,
    instant_of,
    number_of,
    optional_uuid,
    text_of,
    truth_of,
)
from licenses.services.seats import FREE_SEAT

LEARNER_COLUMNS = ("user_email", "lms_user_id", "activation_key")


def drafted_license(row: Row, uuid: UUID, plan: SubscriptionPlan) -> tuple[License, str]:
    """The license, and how it was mended by the rules of the life cycle."""
    email, lms_user_id = email_of(row), number_of(row, "lms_user_id")
    status = text_of(row, "status")
    if status not in LicenseStatus.values:
        raise BadRowError("the status is unknown")
    created, modified = instant_of(row, "created"), instant_of(row, "modified")
    values: dict[str, Any] = {
        "status": status,
        "user_email": email,
        "lms_user_id": lms_user_id,
        "activation_key": optional_uuid(row, "activation_key"),
        "assigned_date": instant_of(row, "assigned_date"),
        "last_remind_date": instant_of(row, "last_remind_date"),
        "activation_date": instant_of(row, "activation_date"),
        "revoked_date": instant_of(row, "revoked_date"),
        "auto_applied": truth_of(row, "auto_applied"),
    }
    mended = _MENDERS[status](values, modified)
    dates = {"created": created, "modified": modified or created}
    given = {name: date for name, date in dates.items() if date}
    return License(uuid=uuid, subscription_plan=plan, **values, **given), mended


def _mend_unassigned(values: dict[str, Any], _modified: datetime | None) -> str:
    if not any(values[name] for name in LEARNER_COLUMNS):
        return ""
    values |= FREE_SEAT
    return "an unassigned seat with a learner: emptied"


def _mend_assigned(values: dict[str, Any], _modified: datetime | None) -> str:
    if not values["user_email"]:
        raise BadRowError("assigned, but without an e-mail address")
    if values["activation_key"]:
        return ""
    values["activation_key"] = uuid4()
    return "assigned without activation key: it got a new one"


def _mend_activated(values: dict[str, Any], _modified: datetime | None) -> str:
    if not values["user_email"] and values["lms_user_id"] is None:
        raise BadRowError("activated, but by nobody")
    if values["activation_date"]:
        return ""
    if values["assigned_date"] is None:
        raise BadRowError("activated, but without any date")
    values["activation_date"] = values["assigned_date"]
    return "activated without date: the date of its assignment stands for it"


def _mend_revoked(values: dict[str, Any], modified: datetime | None) -> str:
    if values["revoked_date"]:
        return ""
    if modified is None:
        raise BadRowError("revoked, but without any date")
    values["revoked_date"] = modified
    return "revoked without date: the date of its last change stands for it"


_MENDERS: dict[str, Callable[[dict[str, Any], datetime | None], str]] = {
    LicenseStatus.UNASSIGNED: _mend_unassigned,
    LicenseStatus.ASSIGNED: _mend_assigned,
    LicenseStatus.ACTIVATED: _mend_activated,
    LicenseStatus.REVOKED: _mend_revoked,
}
