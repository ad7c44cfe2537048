"""Taking licenses back, within the plan's cap. A new free seat takes the place of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from credentials_portal.accounts.models import normalise_email
from credentials_portal.core import outbox
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.events import announce
from credentials_portal.core.history import (
    Attribution,
    newest_history_ids,
    update_with_history,
)
from credentials_portal.core.retries import retry_conflicts
from licenses.enums import LIVE, LicenseStatus
from licenses.models import License, SubscriptionPlan
from licenses.selectors.plans import revocation_allowance
from licenses.selectors.seats import seats_in_use
from licenses.services.locking import lock_plan
from licenses.services.notices import queue_cap_mail
from licenses.services.seats import PAGE, add_seats, licenses_of
from licenses.signals import LicenseFact, license_revoked

REVOKE_ENROLLMENTS = "licenses.revoke_enrollments"


class RevocationCapEnabledError(ConflictError):
    """A plan with a cap is not revoked as a whole."""

    code = "revocation_cap_enabled"


class Refusal(StrEnum):
    """Why a license was not revoked."""

    NOT_HELD = "not_held"
    CAP_REACHED = "cap_reached"


@dataclass(frozen=True)
class Revoked:
    """A license after its revocation, and what it was before."""

    license: License
    original_status: LicenseStatus


@dataclass(frozen=True)
class Refused:
    """Somebody, as the caller named them, whose license was not revoked."""

    email: str
    refusal: Refusal


@dataclass(frozen=True)
class Revocations:
    successful: tuple[Revoked, ...] = ()
    unsuccessful: tuple[Refused, ...] = ()


@retry_conflicts
@transaction.atomic
def revoke_licenses(*, plan_uuid: UUID, emails: Sequence[str], by: Attribution) -> Revocations:
    """Revoke the licenses that these people hold of the plan, each that can be.

    Activated ones count against the plan's cap, in the order of the addresses; those beyond it
    are refused. The enrollments of activated ones are revoked at the LMS. Raises
    `PlanNotFoundError`, `PlanBusyError`.
    """
    plan = lock_plan(uuid=plan_uuid)
    named = {normalise_email(email): email for email in reversed(emails)}
    wanted = list(dict.fromkeys(map(normalise_email, emails)))
    live = License.objects.live().filter(
        subscription_plan=plan, user_email__in=filter(None, wanted)
    )
    held = {
        license.user_email: license
        for license in live.order_by("pk").select_for_update(of=("self",), no_key=True)
    }
    allowance = revocation_allowance(plan, seats=seats_in_use(plan.pk))
    refused: list[Refused] = []
    taken: list[License] = []
    for email in wanted:
        refusal = _refusal(held.get(email), allowance)
        if refusal:
            refused.append(Refused(named[email], refusal))
            continue
        taken.append(held[email])
        if allowance is not None and held[email].status == LicenseStatus.ACTIVATED:
            allowance -= 1
    return Revocations(tuple(_revoke(plan, taken, by=by)), tuple(refused))


@retry_conflicts
@transaction.atomic
def revoke_all(*, plan_uuid: UUID, by: Attribution) -> int:
    """Revoke every license that somebody holds of the plan; returns their number.

    All in one transaction, and page by page: many need no more memory than few. Raises
    `RevocationCapEnabledError`, `PlanNotFoundError`, `PlanBusyError`.
    """
    plan = lock_plan(uuid=plan_uuid)
    if plan.is_revocation_cap_enabled:
        raise RevocationCapEnabledError(
            "This plan limits how many licenses can be revoked, so not all can be at once."
        )
    count = 0
    for status in LIVE:
        held = License.objects.filter(subscription_plan=plan, status=status)
        while page := _withdraw(plan, held, by=by, limit=PAGE):
            if status == LicenseStatus.ACTIVATED:
                _queue_enrollments(plan, page, by=by)
            count += len(page)
    return count


def _refusal(license: License | None, allowance: int | None) -> Refusal | None:
    if license is None:
        return Refusal.NOT_HELD
    if allowance is None or license.status != LicenseStatus.ACTIVATED or allowance > 0:
        return None
    return Refusal.CAP_REACHED


def _revoke(plan: SubscriptionPlan, held: Sequence[License], *, by: Attribution) -> list[Revoked]:
    """Revoke licenses that the caller has locked and judged, in a fixed number of statements."""
    if not held:
        return []
    before = {license.pk: LicenseStatus(license.status) for license in held}
    _withdraw(plan, License.objects.live().filter(pk__in=before), by=by)
    activated = [pk for pk, status in before.items() if status == LicenseStatus.ACTIVATED]
    _queue_enrollments(plan, activated, by=by)
    _count_against_cap(plan, len(activated), by=by)
    after = {license.pk: license for license in licenses_of(plan, before)}
    return [Revoked(after[license.pk], before[license.pk]) for license in held]


def _withdraw(
    plan: SubscriptionPlan, held: QuerySet[License], *, by: Attribution, limit: int | None = None
) -> list[int]:
    """Take these licenses of the plan back, `limit` of them at most, and tell which they were."""
    revoked = update_with_history(
        held,
        {"status": LicenseStatus.REVOKED, "revoked_date": by.at},
        by=by,
        returning=("pk", "uuid", "lms_user_id", "source_request_uuid"),
        limit=limit,
    )
    add_seats(plan.pk, len(revoked), by=by)
    facts = [
        LicenseFact(
            license_id=pk,
            license_uuid=uuid,
            plan_id=plan.pk,
            customer_id=plan.customer_agreement.customer_id,
            status=LicenseStatus.REVOKED,
            lms_user_id=lms_user_id,
            source_request_uuid=request_uuid,
        )
        for pk, uuid, lms_user_id, request_uuid in revoked
    ]
    announce(license_revoked, facts, at=by.at, actor=by.actor, cause=by.cause)
    return [fact.license_id for fact in facts]


def _queue_enrollments(
    plan: SubscriptionPlan, activated: Sequence[int], *, by: Attribution
) -> None:
    """Who never activated a license has no enrollment through it."""
    if not activated:
        return
    changes = newest_history_ids(License, activated)
    scope = str(plan.customer_agreement.customer.uuid)
    outbox.enqueue(
        REVOKE_ENROLLMENTS,
        [
            outbox.Item(cause=str(changes[pk]), payload={"license": pk}, scope=scope)
            for pk in activated
        ],
        at=by.at,
    )


def _count_against_cap(plan: SubscriptionPlan, spent: int, *, by: Attribution) -> None:
    if not plan.is_revocation_cap_enabled or not spent:
        return
    plan.num_revocations_applied += spent
    update_with_history(
        SubscriptionPlan.objects.filter(pk=plan.pk),
        {"num_revocations_applied": plan.num_revocations_applied},
        by=by,
    )
    left = revocation_allowance(plan, seats=seats_in_use(plan.pk))
    if left is not None and left <= 0:
        queue_cap_mail(plan, at=by.at)
