"""What staff of the old service did about entitlements, with their dates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from credentials_portal.core.rehearsal import Rehearsal
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import SupportAction, SupportReason
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from entitlements.services.dumps import BadRowError, Result, Row, store, uuid_of, values_of
from entitlements.services.importing import CLAIM, uuid_claim
from programs import selectors as programs

REQUIRED_DETAIL_COLUMNS = ("entitlement", "action", "created")
RUN_COLUMN = "unenrolled_run"

USER_UNKNOWN = "who did it is not here"
RUN_UNKNOWN = "the run that was left is not here"

DETAIL = "detail"
"""What a dry run notes of details."""


@dataclass
class DetailImport:
    """One import, which is brought page by page, when the entitlements are here.

    A detail is known by its entitlement, its date and its action; what is here already stays as
    it is. A dry run knows from `unwritten` which entitlements would be here, and notes its own.
    """

    by: Attribution
    unwritten: Rehearsal
    dry_run: bool = False

    @retry_conflicts
    @transaction.atomic
    def bring(self, rows: Sequence[Row]) -> list[Result]:
        """Import these rows in one transaction; bad ones are told and left."""
        draft = _Page(rows, self).draft
        return store(CourseEntitlementSupportDetail, rows, draft, by=self.by, dry_run=self.dry_run)


class _Page:
    """Some rows, with all that is here of what they name: a fixed number of statements."""

    def __init__(self, rows: Sequence[Row], work: DetailImport) -> None:
        self.work = work
        uuids = {uuid for text in values_of(rows, "entitlement") if (uuid := uuid_of(text))}
        stored = CourseEntitlement.objects.filter(uuid__in=uuids).values_list("uuid", "pk")
        self.entitlement_ids: dict[UUID, int] = dict(stored)
        people = User.objects.filter(username__in=values_of(rows, "support_user"))
        self.user_ids: dict[str, int] = dict(people.values_list("username", "pk"))
        self.runs = programs.run_offers(values_of(rows, RUN_COLUMN))
        details = CourseEntitlementSupportDetail.objects.filter(entitlement__uuid__in=uuids)
        known = details.values_list("entitlement__uuid", "created", "action")
        self.known = {_key(*one) for one in known}

    def draft(self, row: Row) -> tuple[CourseEntitlementSupportDetail, str] | None:
        """The detail, and what was mended about it; None: it is here already."""
        uuid, created = row.uuid("entitlement"), row.instant("created")
        action, reason = row.text("action") or "", row.text("reason")
        if uuid not in self.entitlement_ids and not self._is_noted(CLAIM, uuid_claim(uuid)):
            raise BadRowError("its entitlement is not here")
        if created is None or created > self.work.by.at:
            raise BadRowError("created is missing, or lies in the future")
        if action not in SupportAction.values:
            raise BadRowError("there is no such action")
        if reason is not None and reason not in SupportReason.values:
            raise BadRowError("there is no such reason")
        key = _key(uuid, created, action)
        if key in self.known or self._is_noted(DETAIL, key):
            return None
        self.known.add(key)
        if self.work.dry_run:
            self.work.unwritten.note(DETAIL, {key: ""})
        user_id, run_id, mended = self._named(row)
        detail = CourseEntitlementSupportDetail(
            entitlement_id=self.entitlement_ids.get(uuid, 0),
            support_user_id=user_id,
            action=action,
            comments=row.text("comments") or "",
            unenrolled_run_id=run_id,
            reason=reason,
            created=created,
            modified=row.instant("modified") or created,
        )
        return detail, mended

    def _is_noted(self, kind: str, key: str) -> bool:
        return self.work.dry_run and bool(self.work.unwritten.noted(kind, [key]))

    def _named(self, row: Row) -> tuple[int | None, int | None, str]:
        """Who did it, the run that was left, and which of them is not here."""
        username, key = row.text("support_user"), row.text(RUN_COLUMN)
        user_id, run = self.user_ids.get(username or ""), self.runs.get(key or "")
        mended = []
        if username and user_id is None:
            mended.append(USER_UNKNOWN)
        if key and run is None:
            mended.append(RUN_UNKNOWN)
        return user_id, run.course_run_id if run else None, "; ".join(mended)


def _key(uuid: UUID, created: datetime, action: str) -> str:
    """What makes a detail itself."""
    return f"{uuid}:{created.timestamp()}:{action}"
