"""Adding seats to a plan, and giving them to learners."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Q

from credentials_portal.accounts.models import normalise_email
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.events import announce
from credentials_portal.core.history import (
    Attribution,
    insert_history,
    update_each_with_history,
)
from credentials_portal.core.retries import retry_conflicts
from licenses.enums import MAX_LICENSES, LicenseStatus, Notice
from licenses.models import License, SubscriptionPlan
from licenses.selectors.people import lms_user_ids_by_email
from licenses.selectors.seats import seats_in_use
from licenses.services.links import link_learners
from licenses.services.locking import lock_plan
from licenses.services.notices import Words, queue_learner_mails
from licenses.signals import LicenseFact, license_assigned

PAGE = 10_000

FREE_SEAT: dict[str, Any] = {
    "status": LicenseStatus.UNASSIGNED,
    "user_email": "",
    "lms_user_id": None,
    "activation_key": None,
    "assigned_date": None,
    "last_remind_date": None,
    "activation_date": None,
    "revoked_date": None,
    "auto_applied": None,
    "source_request_uuid": None,
    "renewed_to_id": None,
}
"""What a seat that was somebody's has when it is free again."""


class NotEnoughSeatsError(ConflictError):
    """More seats were asked for than are free; none was given."""

    code = "not_enough_seats"

    def __init__(self, *, requested: int, available: int) -> None:
        super().__init__(f"{requested} licenses are needed, and {available} are free.")
        self.requested = requested
        self.available = available

    @property
    def details(self) -> dict[str, Any]:
        return {"requested": self.requested, "available": self.available}


class TooManySeatsError(ConflictError):
    code = "too_many_seats"


@dataclass(frozen=True)
class Assignment:
    """Seats that were given, and by address the licenses of the learners who held one already."""

    assigned: tuple[License, ...]
    held: Mapping[str, int]

    @property
    def already_associated(self) -> int:
        return len(self.held)


@retry_conflicts
@transaction.atomic
def provision_licenses(*, plan: SubscriptionPlan, count: int, by: Attribution) -> int:
    """Add this many free seats to the plan; returns the number added.

    Raises `TooManySeatsError` where the plan would have more than `MAX_LICENSES`, unless it is
    for internal use.
    """
    locked = lock_plan(pk=plan.pk)
    if not locked.for_internal_use_only and seats_in_use(locked.pk) + count > MAX_LICENSES:
        raise TooManySeatsError(f"A plan has {MAX_LICENSES:,} licenses at most.")
    add_seats(locked.pk, count, by=by)
    return count


@retry_conflicts
@transaction.atomic
def provision_desired_licenses(*, plan: SubscriptionPlan, by: Attribution) -> int:
    """Add the seats that the plan lacks of `desired_num_licenses`; never takes one away."""
    locked = lock_plan(pk=plan.pk)
    missing = (locked.desired_num_licenses or 0) - seats_in_use(locked.pk)
    return provision_licenses(plan=locked, count=missing, by=by) if missing > 0 else 0


def add_seats(plan_id: int, count: int, *, by: Attribution) -> None:
    """Insert free seats with their history; the caller holds the plan."""
    for start in range(0, count, PAGE):
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO licenses_license (
                    uuid, subscription_plan_id, status, user_email, created, modified)
                SELECT gen_random_uuid(), %s, %s, '', %s, %s FROM generate_series(1, %s)
                RETURNING id
                """,
                [plan_id, LicenseStatus.UNASSIGNED, by.at, by.at, min(PAGE, count - start)],
            )
            created = [pk for (pk,) in cursor.fetchall()]
        insert_history(License, created, history_type="+", by=by)


@retry_conflicts
@transaction.atomic
def assign_licenses(
    *,
    plan_uuid: UUID,
    emails: Sequence[str],
    by: Attribution,
    notify: bool = True,
    greeting: str = "",
    closing: str = "",
    source_requests: Mapping[str, UUID] | None = None,
) -> Assignment:
    """Give each of these people a free seat of the plan, all of them or nobody.

    Who holds one of the plan already, by address or by account, is left out and counted.
    `source_requests` names, by address, the request that asked for a seat. Mails are queued
    unless `notify` is False or the agreement wants none; `greeting` and `closing` are the
    administrator's own words in them. Raises `NotEnoughSeatsError`, `PlanBusyError`,
    `PlanNotFoundError`.
    """
    plan = lock_plan(uuid=plan_uuid)
    wanted = list(dict.fromkeys(filter(None, map(normalise_email, emails))))
    holders = _holders(plan, wanted)
    newcomers = [email for email in wanted if email not in holders]
    seats = take_free_seats(plan.pk, len(newcomers))
    requests = {normalise_email(email): uuid for email, uuid in (source_requests or {}).items()}
    update_each_with_history(
        License,
        {
            seat: {
                "status": LicenseStatus.ASSIGNED,
                "user_email": email,
                "activation_key": uuid4(),
                "assigned_date": by.at,
                "last_remind_date": by.at,
                "source_request_uuid": requests.get(email),
            }
            for seat, email in zip(seats, newcomers, strict=True)
        },
        by=by,
    )
    assigned = licenses_of(plan, seats)
    announce(license_assigned, facts_of(assigned, plan), at=by.at, actor=by.actor, cause=by.cause)
    link_learners(customer=plan.customer_agreement.customer, emails=newcomers, by=by)
    if notify:
        words = Words(greeting, closing)
        queue_learner_mails(Notice.ASSIGNED, assigned, plan=plan, words=words, at=by.at)
    return Assignment(tuple(assigned), held=holders)


def take_free_seats(plan_id: int, count: int) -> list[int]:
    """Lock the first free seats of a plan that the caller holds.

    Raises `NotEnoughSeatsError`.
    """
    free = License.objects.filter(
        subscription_plan_id=plan_id, status=LicenseStatus.UNASSIGNED
    ).order_by("pk")
    locked = free.select_for_update(of=("self",), no_key=True)[:count]
    seats = list(locked.values_list("pk", flat=True)) if count else []
    if len(seats) < count:
        raise NotEnoughSeatsError(requested=count, available=free.count())
    return seats


def licenses_of(plan: SubscriptionPlan, pks: Collection[int]) -> list[License]:
    """These licenses of the plan as they are now, in the order of their keys."""
    licenses = list(License.objects.filter(pk__in=pks).order_by("pk")) if pks else []
    for license in licenses:
        license.subscription_plan = plan
    return licenses


def facts_of(licenses: Sequence[License], plan: SubscriptionPlan) -> list[LicenseFact]:
    return [
        LicenseFact(
            license_id=license.pk,
            license_uuid=license.uuid,
            plan_id=plan.pk,
            customer_id=plan.customer_agreement.customer_id,
            status=license.status,
            lms_user_id=license.lms_user_id,
            source_request_uuid=license.source_request_uuid,
        )
        for license in licenses
    ]


def _holders(plan: SubscriptionPlan, emails: Sequence[str]) -> dict[str, int]:
    """The licenses of those of these addresses whose owners hold one of the plan, under whatever
    address."""
    accounts = lms_user_ids_by_email(emails)
    live = License.objects.live().filter(
        Q(user_email__in=emails) | Q(lms_user_id__in=accounts.values()), subscription_plan=plan
    )
    held = list(live.values_list("user_email", "lms_user_id", "pk"))
    by_email = {email: pk for email, _lms_user_id, pk in held}
    by_account = {lms_user_id: pk for _email, lms_user_id, pk in held}
    return {
        email: by_email.get(email) or by_account[accounts[email]]
        for email in emails
        if email in by_email or (email in accounts and accounts[email] in by_account)
    }
