"""Ending the link between a customer and learners whose licenses expired long enough ago."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection, transaction

from credentials_portal.core import outbox
from credentials_portal.core.history import Attribution, insert_history
from credentials_portal.core.outbox import Delivery, Item
from credentials_portal.core.retries import retry_conflicts
from credentials_portal.core.sql import among
from licenses.enums import LIVE, UNLINKED, CustomerRole, LinkStatus, UnlinkVerdict
from licenses.models import Customer, CustomerLearner, LearnerUnlink
from licenses.selectors.expiry import other_license_holders, unlink_verdicts
from licenses.services import batches
from licenses.services.links import LINK, unlink_learners

UNLINK = "licenses.unlink"


@retry_conflicts
@transaction.atomic(durable=True)
def queue_unlinks(*, customer: Customer, by: Attribution) -> int:
    """Queue the customer's learners who are due to be unlinked; returns how many are new.

    A learner waits once, whatever licenses expired. One without a link gets it first: that the
    portal did not know of it does not mean that the LMS does not.
    """
    queued, created = _insert(customer, by=by)
    insert_history(CustomerLearner, created, history_type="+", by=by)
    outbox.enqueue(
        UNLINK,
        batches.pages(queued, scope=str(customer.uuid), customer=customer.pk),
        at=by.at,
        reserve=batches.RESERVE,
    )
    return len(queued)


def record_unlinks(deliveries: Sequence[Delivery], at: datetime) -> None:
    """Note what the LMS did: links end, licenses are marked, and nothing waits any more.

    A learner who got a license while the LMS was being asked is linked there again.
    """
    by = Attribution(at=at, cause=f"outbox:{UNLINK}")
    settled = batches.settle(deliveries)
    rows = _lock_rows(settled.done)
    stay = other_license_holders(rows.values(), at=at)
    gone = {link: license for link, license in rows.items() if license not in stay}
    _unlink(gone, by=by)
    _mark_unlinked(gone.values(), by=by)
    _link_again([link for link in rows if link not in gone], at=at)
    LearnerUnlink.objects.filter(pk__in=among([*settled.done, *settled.unwanted])).delete()
    if settled.given_up:
        LearnerUnlink.objects.filter(pk__in=settled.given_up).update(given_up_at=at)
    outbox.enqueue(UNLINK, settled.halves, at=at)


def _insert(customer: Customer, *, by: Attribution) -> tuple[list[int], list[int]]:
    """The new rows of the queue, and the links that were missing."""
    verdicts = unlink_verdicts(by.at, customer_id=customer.pk)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH due AS MATERIALIZED (
                SELECT v.license_id, v.user_email, v.expiration_date, v.customer_learner_id
                FROM ({verdicts.sql}) AS v WHERE v.verdict = '{UnlinkVerdict.UNLINK}'
            ),
            created AS (
                INSERT INTO licenses_customerlearner (
                    customer_id, user_email, role, status, is_relinkable, linked_at,
                    created, modified)
                SELECT DISTINCT ON (user_email) %s, user_email, '{CustomerRole.LEARNER}',
                       '{LinkStatus.LINKED}', true, %s, %s, %s
                FROM due WHERE customer_learner_id IS NULL ORDER BY user_email
                ON CONFLICT DO NOTHING
                RETURNING id, user_email
            ),
            queued AS (
                INSERT INTO licenses_learnerunlink AS waiting (
                    customer_learner_id, license_id, queued_at)
                SELECT DISTINCT ON (link_id) link_id, license_id, %s
                FROM (
                    SELECT COALESCE(due.customer_learner_id, created.id) AS link_id,
                           due.license_id, due.expiration_date
                    FROM due LEFT JOIN created ON created.user_email = due.user_email
                ) AS known
                WHERE link_id IS NOT NULL ORDER BY link_id, expiration_date DESC, license_id DESC
                ON CONFLICT (customer_learner_id) DO UPDATE SET
                    license_id = EXCLUDED.license_id, queued_at = EXCLUDED.queued_at,
                    given_up_at = NULL
                WHERE waiting.given_up_at IS NOT NULL
                RETURNING id
            )
            SELECT true, id FROM queued UNION ALL SELECT false, id FROM created ORDER BY 1, 2
            """,  # noqa: S608 - the rule; every value is a parameter
            [*verdicts.params, customer.pk, *(by.at,) * 4],
        )
        rows = cursor.fetchall()
    return [pk for is_queued, pk in rows if is_queued], [pk for is_new, pk in rows if not is_new]


def _lock_rows(row_ids: Sequence[int]) -> dict[int, int]:
    """The license for which each of these links ends; the links are locked.

    A link that is gone was merged into another one, which the next run finds.
    """
    locked = (
        CustomerLearner.objects.filter(unlink__in=among(row_ids))
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
    return dict(locked.values_list("pk", "unlink__license"))


def _unlink(links: Collection[int], *, by: Attribution) -> None:
    """End these links, as each customer's agreement wants it."""
    found = CustomerLearner.objects.filter(pk__in=among(links))
    wishes = found.values_list("customer__agreement__unlink_is_relinkable", flat=True)
    for is_relinkable in sorted(set(wishes.order_by().distinct())):
        unlink_learners(
            found.filter(customer__agreement__unlink_is_relinkable=is_relinkable),
            by=by,
            is_relinkable=is_relinkable,
        )


def _mark_unlinked(license_ids: Collection[int], *, by: Attribution) -> None:
    """Mark these licenses, and those of the same learners whose plans ended before."""
    if not license_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH subject AS MATERIALIZED (
                SELECT license.id, license.user_email, plan.expiration_date,
                       plan.customer_agreement_id
                FROM licenses_license AS license
                JOIN licenses_subscriptionplan AS plan ON plan.id = license.subscription_plan_id
                WHERE license.id = ANY(%s)
            )
            INSERT INTO licenses_licenseevent (license_id, event_name, at, cause)
            SELECT marked.id, %s, %s, %s FROM (
                SELECT id FROM subject
                UNION
                SELECT other.id FROM subject CROSS JOIN LATERAL (
                    SELECT held.id FROM licenses_license AS held
                    JOIN licenses_subscriptionplan AS past ON past.id = held.subscription_plan_id
                    WHERE held.user_email = subject.user_email AND held.user_email <> ''
                      AND held.status = ANY(%s) AND held.renewed_to_id IS NULL
                      AND past.customer_agreement_id = subject.customer_agreement_id
                      AND past.expiration_date <= subject.expiration_date
                    -- Learner by learner, whatever the planner believes of the table.
                    OFFSET 0
                ) AS other
            ) AS marked ORDER BY marked.id
            ON CONFLICT DO NOTHING
            """,
            [list(license_ids), UNLINKED, by.at, by.cause, list(LIVE)],
        )


def _link_again(links: Sequence[int], *, at: datetime) -> None:
    """The LMS unlinked them, and the portal did not."""
    by_customer: dict[Customer, list[int]] = defaultdict(list)
    for link in CustomerLearner.objects.filter(pk__in=links).select_related("customer"):
        by_customer[link.customer].append(link.pk)
    outbox.enqueue(
        LINK,
        [
            Item(
                cause=f"unlink.{min(learners)}.{at.timestamp():.0f}",
                payload={"customer": customer.pk, batches.ROWS: learners},
                scope=str(customer.uuid),
            )
            for customer, learners in by_customer.items()
        ],
        at=at,
    )
