"""Links to program records: made, revoked, replaced, changed, and their views counted."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import ConflictError, DomainError, GoneError, NotFoundError
from credentials_portal.core.history import Attribution, save_with_history, update_with_history
from credentials_portal.core.retries import retry_conflicts
from programs.enums import ShareEnd, ShareKind
from programs.models import Program, SharedProgramRecord
from programs.models.records import SharedProgramRecordQuerySet


class ExpiryPassedError(DomainError):
    """A link would be dead before it was made."""

    code = "expiry_passed"


class InstitutionsLinkError(ConflictError):
    """The link belongs to a credit request: it can only be revoked."""

    code = "institutions_link"


class Shared(NamedTuple):
    link: SharedProgramRecord
    is_new: bool


class Expired(NamedTuple):
    """A link that was marked as expired."""

    uuid: UUID
    kind: ShareKind
    expires_at: datetime | None


@retry_conflicts
@transaction.atomic
def share_record(
    *,
    user: User,
    program: Program,
    by: Attribution,
    expires_at: datetime | None = None,
    show_email: bool = False,
    show_username: bool = False,
) -> Shared:
    """Make a learner's own link to their record, or return the live one as it is.

    One that has expired is ended, and another made. Raises `ExpiryPassedError`, and
    `NotFoundError` for a learner who has left.
    """
    _require_future(expires_at, by)
    lock_sharer(user.pk)
    own = SharedProgramRecord.objects.filter(
        user=user, program=program, kind=ShareKind.LINK, revoked_at=None
    )
    link = own.select_for_update(no_key=True).first()
    if link and link.is_live(by.at):
        return Shared(link, is_new=False)
    if link:
        _mark_expired(SharedProgramRecord.objects.filter(pk=link.pk), by=by)
    choices = {
        "expires_at": expires_at,
        "show_email": show_email,
        "show_username": show_username,
    }
    return Shared(_make(user, program, choices, by=by), is_new=True)


@retry_conflicts
@transaction.atomic
def revoke_share(*, link_uuid: UUID, by: Attribution, end: ShareEnd = ShareEnd.REVOKED) -> None:
    """Kill a link of either kind, for good; a dead one stays dead as it is.

    Raises `NotFoundError`.
    """
    links = SharedProgramRecord.objects.filter(uuid=link_uuid)
    if not links.exists():
        raise NotFoundError("There is no such link.")
    _end(links, end, by=by)


@retry_conflicts
@transaction.atomic
def revoke_shares(*, shared_record_ids: Collection[int], by: Attribution) -> int:
    """Kill those of these links that live, as staff may, and say how many. One statement."""
    links = SharedProgramRecord.objects.filter(pk__in=shared_record_ids)
    return _end(links, ShareEnd.STAFF, by=by)


@retry_conflicts
@transaction.atomic
def rotate_share(*, link_uuid: UUID, by: Attribution) -> SharedProgramRecord:
    """Kill a learner's own link and make another with the same choices.

    Raises `NotFoundError`, `GoneError` for a dead link, `InstitutionsLinkError`.
    """
    old = _lock_own(link_uuid, by)
    _end(SharedProgramRecord.objects.filter(pk=old.pk), ShareEnd.ROTATED, by=by)
    choices = {
        "expires_at": old.expires_at,
        "show_email": old.show_email,
        "show_username": old.show_username,
    }
    return _make(old.user, old.program, choices, by=by)


@retry_conflicts
@transaction.atomic
def change_share(
    *,
    link_uuid: UUID,
    expires_at: datetime | None,
    show_email: bool,
    show_username: bool,
    by: Attribution,
) -> SharedProgramRecord:
    """Change when a learner's own link dies, and what it shows of them.

    Raises `ExpiryPassedError` and what `rotate_share` raises.
    """
    _require_future(expires_at, by)
    link = _lock_own(link_uuid, by)
    choices = (expires_at, show_email, show_username)
    if choices != (link.expires_at, link.show_email, link.show_username):
        link.expires_at, link.show_email, link.show_username = choices
        save_with_history(link, by=by)
    return link


@retry_conflicts
@transaction.atomic
def expire_shares(*, limit: int, by: Attribution) -> list[Expired]:
    """Mark links of both kinds as ended whose time was over by `by.at`, `limit` at most.

    They were dead already; now lists say so. One statement.
    """
    return _mark_expired(SharedProgramRecord.objects.all(), by=by, limit=limit)


def count_view(*, shared_record_id: int, at: datetime) -> None:
    """Count one more view of a link, by its day in UTC, and keep nothing about the viewer.

    One statement; callers leave out the learner's own views.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO programs_sharedrecordviewcount AS counted"
            " (shared_record_id, day, views, last_viewed_at) VALUES (%s, %s, 1, %s)"
            " ON CONFLICT (shared_record_id, day) DO UPDATE SET views = counted.views + 1,"
            " last_viewed_at = GREATEST(counted.last_viewed_at, EXCLUDED.last_viewed_at)",
            [shared_record_id, at.astimezone(UTC).date(), at],
        )


def lock_sharer(user_id: int) -> User:
    """Lock a learner, under whom links and credit requests are made one after the other.

    Raises `NotFoundError` for one who has left: nothing is shared of them any more. Needs an
    open transaction.
    """
    user: User = User.objects.select_for_update(no_key=True).get(pk=user_id)
    if user.is_retired:
        raise NotFoundError("There is no such learner.")
    return user


def _require_future(expires_at: datetime | None, by: Attribution) -> None:
    if expires_at is not None and expires_at <= by.at:
        raise ExpiryPassedError("A link cannot expire before it is made.")


def _lock_own(link_uuid: UUID, by: Attribution) -> SharedProgramRecord:
    """A learner's own live link, locked, and its learner before it."""
    link = SharedProgramRecord.objects.filter(uuid=link_uuid).first()
    if link is None:
        raise NotFoundError("There is no such link.")
    lock_sharer(link.user_id)
    links = SharedProgramRecord.objects.select_related("user", "program")
    link = links.select_for_update(of=("self",), no_key=True).get(pk=link.pk)
    if link.kind != ShareKind.LINK:
        raise InstitutionsLinkError(
            "This link was made for an institution. Withdraw the request to end it."
        )
    if not link.is_live(by.at):
        raise GoneError("This link is dead.")
    return link


def _make(
    user: User, program: Program, choices: dict[str, Any], *, by: Attribution
) -> SharedProgramRecord:
    link = SharedProgramRecord(user=user, program=program, created=by.at, **choices)
    save_with_history(link, by=by)
    return link


def _end(links: SharedProgramRecordQuerySet, end: ShareEnd, *, by: Attribution) -> int:
    """Those that live: what its time ended was ended by nobody."""
    return len(update_with_history(links.live(by.at), {"revoked_at": by.at, "end": end}, by=by))


def _mark_expired(
    links: SharedProgramRecordQuerySet, *, by: Attribution, limit: int | None = None
) -> list[Expired]:
    """They ended when their time was over, whenever that is written down."""
    values = {"revoked_at": F("expires_at"), "end": ShareEnd.EXPIRED}
    rows = update_with_history(
        links.expired(by.at), values, by=by, returning=Expired._fields, limit=limit
    )
    return [Expired(*row) for row in rows]
