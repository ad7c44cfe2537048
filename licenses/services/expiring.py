"""Processing plans that have ended: the LMS downgrades what rests on their licenses."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models.expressions import RawSQL

from credentials_portal.core import outbox
from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, update_with_history
from credentials_portal.core.outbox import Delivery
from credentials_portal.core.retries import retry_conflicts
from credentials_portal.core.sql import among
from licenses.enums import EXPIRED, LIVE, ExpiryVerdict
from licenses.models import LicenseDowngrade, SubscriptionPlan
from licenses.selectors.expiry import (
    EVERYTHING,
    ExpiryScope,
    licenses_to_downgrade,
    plan_verdicts,
)
from licenses.services import batches
from licenses.signals import LicenseFact, PlanFact, license_expired, subscription_plan_expired

DOWNGRADE = "licenses.downgrade"


@dataclass(frozen=True)
class ExpiryTally:
    """How many downgrades were queued, and how many plans left nothing to do."""

    queued: int
    processed: int


@retry_conflicts
@transaction.atomic(durable=True)
def expire_plans(
    *, plan_ids: Sequence[int], by: Attribution, scope: ExpiryScope = EVERYTHING
) -> ExpiryTally:
    """Queue the downgrade of what learners hold in those of these plans that are due.

    A plan is processed once nothing of it is open: here where there was nothing, else when the
    last downgrade was recorded. Plans that are not due any more are left alone.
    """
    plans = _lock_plans(plan_ids)
    due = _due(sorted(plans), at=by.at, scope=scope)
    queued = _queue_downgrades(due, by=by, is_forced=scope.is_forced)
    for plan_id, license_ids in queued.items():
        customer = plans[plan_id].customer_agreement.customer
        outbox.enqueue(
            DOWNGRADE,
            batches.pages(license_ids, scope=str(customer.uuid), plan=plan_id),
            at=by.at,
            reserve=batches.RESERVE,
        )
    return ExpiryTally(
        queued=sum(map(len, queued.values())), processed=_process_plans(plans, due, by=by)
    )


def record_downgrades(deliveries: Sequence[Delivery], at: datetime) -> None:
    """Note what the LMS did, and process the plans of which nothing is open any more."""
    by = Attribution(at=at, cause=f"outbox:{DOWNGRADE}")
    plans = _lock_plans({delivery.message.payload["plan"] for delivery in deliveries})
    settled = batches.settle(deliveries)
    unfinished = LicenseDowngrade.objects.filter(finished_at=None)
    unfinished.filter(license__in=among(settled.done)).update(finished_at=at)
    if settled.given_up:
        unfinished.filter(license__in=among(settled.given_up)).update(
            finished_at=at, is_given_up=True
        )
    if settled.unwanted:
        unfinished.filter(license__in=among(settled.unwanted)).delete()
    outbox.enqueue(DOWNGRADE, settled.halves, at=at)
    if settled.done or settled.given_up:
        _process_plans(plans, sorted(plans), by=by)


def _lock_plans(plan_ids: Collection[int]) -> dict[int, SubscriptionPlan]:
    plans = SubscriptionPlan.objects.select_related("customer_agreement__customer")
    locked = plans.filter(pk__in=plan_ids).order_by("pk")
    return {plan.pk: plan for plan in locked.select_for_update(of=("self",), no_key=True)}


def _due(plan_ids: Sequence[int], *, at: datetime, scope: ExpiryScope) -> list[int]:
    verdicts = plan_verdicts(at, scope, plan_ids=plan_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT v.plan_id FROM ({verdicts.sql}) AS v WHERE v.verdict = %s ORDER BY 1",  # noqa: S608 - the rule
            [*verdicts.params, ExpiryVerdict.DUE],
        )
        return [plan_id for (plan_id,) in cursor.fetchall()]


def _queue_downgrades(
    plan_ids: Sequence[int], *, by: Attribution, is_forced: bool
) -> dict[int, list[int]]:
    """Open a downgrade for each license that needs one and has none; by plan."""
    queued: dict[int, list[int]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO licenses_licensedowngrade AS open (
                license_id, subscription_plan_id, queued_at, is_given_up)
            SELECT license.id, plan.id, %s, false
            FROM licenses_license AS license
            JOIN licenses_subscriptionplan AS plan ON plan.id = license.subscription_plan_id
            WHERE plan.id = ANY(%s) AND {licenses_to_downgrade(is_forced=is_forced)}
            ORDER BY license.id
            ON CONFLICT (license_id) DO UPDATE SET
                subscription_plan_id = EXCLUDED.subscription_plan_id,
                queued_at = EXCLUDED.queued_at, finished_at = NULL, is_given_up = false
            WHERE open.finished_at IS NOT NULL
            RETURNING subscription_plan_id, license_id
            """,  # noqa: S608 - the rule; every value is a parameter
            [by.at, list(plan_ids)],
        )
        for plan_id, license_id in cursor.fetchall():
            queued[plan_id].append(license_id)
    return queued


def _process_plans(
    plans: dict[int, SubscriptionPlan], plan_ids: Sequence[int], *, by: Attribution
) -> int:
    """Close those of these plans, which are locked, of which nothing is open."""
    unfinished = RawSQL(  # noqa: S611 - the rule
        f"""
        SELECT plan.id FROM licenses_license AS license
        JOIN licenses_subscriptionplan AS plan ON plan.id = license.subscription_plan_id
        WHERE plan.id = ANY(%s) AND {licenses_to_downgrade()}
        """,  # noqa: S608 - the rule
        [list(plan_ids)],
    )
    closed = [
        plan_id
        for (plan_id,) in update_with_history(
            SubscriptionPlan.objects.expired(by.at)
            .filter(pk__in=plan_ids, expiration_processed=False)
            .exclude(pk__in=unfinished),
            {"expiration_processed": True},
            by=by,
        )
    ]
    if not closed:
        return 0
    agreements = {plan_id: plans[plan_id].customer_agreement for plan_id in closed}
    customers = {plan_id: agreement.customer_id for plan_id, agreement in agreements.items()}
    announce(
        license_expired,
        _mark_expired(customers, by=by),
        at=by.at,
        actor=by.actor,
        cause=by.cause,
    )
    announce(
        subscription_plan_expired,
        [
            PlanFact(
                plan_id, plans[plan_id].uuid, customers[plan_id], plans[plan_id].expiration_date
            )
            for plan_id in closed
        ],
        at=by.at,
        actor=by.actor,
        cause=by.cause,
    )
    return len(closed)


def _mark_expired(customers: dict[int, int], *, by: Attribution) -> list[LicenseFact]:
    """Mark the live licenses of these plans that nothing renewed, each once."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH event AS (
                INSERT INTO licenses_licenseevent (license_id, event_name, at, cause)
                SELECT id, %s, %s, %s FROM licenses_license
                WHERE subscription_plan_id = ANY(%s) AND status = ANY(%s) AND renewed_to_id IS NULL
                ORDER BY id
                ON CONFLICT DO NOTHING
                RETURNING license_id
            )
            SELECT license.id, license.uuid, license.subscription_plan_id, license.status,
                   license.lms_user_id, license.source_request_uuid
            FROM event JOIN licenses_license AS license ON license.id = event.license_id
            ORDER BY license.id
            """,
            [EXPIRED, by.at, by.cause, list(customers), list(LIVE)],
        )
        return [
            LicenseFact(pk, uuid, plan_id, customers[plan_id], status, lms_user_id, request)
            for pk, uuid, plan_id, status, lms_user_id, request in cursor.fetchall()
        ]
