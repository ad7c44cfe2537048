"""What follows when plans end: which are due, whose licenses are downgraded, who is unlinked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import connection

from credentials_portal.accounts.models import User
from credentials_portal.core.sql import Fragment
from licenses.enums import LIVE, UNLINKED, CustomerRole, ExpiryVerdict, UnlinkVerdict
from licenses.models import Customer, CustomerAgreement, SubscriptionPlan

RENEWAL_GRACE = timedelta(hours=48)
"""How long the processing of a renewal may be late before the plan counts as stuck."""

SOON = timedelta(days=30)
"""A plan that starts within it keeps its learners linked."""

NOTHING_FOLLOWS = (UnlinkVerdict.RENEWED, UnlinkVerdict.ALREADY_UNLINKED)
ROWS_AT_ONCE = 2_000

IS_LIVE = "IN ('{}', '{}')".format(*LIVE)


@dataclass(frozen=True)
class ExpiryScope:
    """Which plans a run looks at: all that ended and were not processed, unless it says less.

    `is_forced` takes processed ones as well; `takes_stuck` those whose renewal is overdue.
    """

    plan_uuids: tuple[UUID, ...] | None = None
    ended_after: datetime | None = None
    ended_before: datetime | None = None
    is_forced: bool = False
    takes_stuck: bool = False


EVERYTHING = ExpiryScope()


# --- The rules --------------------------------------------------------------------------------


def plan_verdicts(
    at: datetime, scope: ExpiryScope = EVERYTHING, *, plan_ids: Sequence[int] | None = None
) -> Fragment:
    """What becomes of each plan that has ended at `at`: columns plan_id, verdict.

    A plan goes with the last one of its chain of processed renewals: while that lasts it is
    renewed, and when that has ended it is due as well, unless it was processed before.
    """
    ended = SubscriptionPlan.objects.expired(at)
    if not scope.is_forced:
        ended = ended.filter(expiration_processed=False)
    if scope.plan_uuids is not None:
        ended = ended.filter(uuid__in=scope.plan_uuids)
    if scope.ended_after is not None:
        ended = ended.filter(expiration_date__gte=scope.ended_after)
    if scope.ended_before is not None:
        ended = ended.filter(expiration_date__lte=scope.ended_before)
    if plan_ids is not None:
        ended = ended.filter(pk__in=plan_ids)
    subjects = Fragment.of(ended.order_by().values("id"))
    stuck = ExpiryVerdict.DUE if scope.takes_stuck else ExpiryVerdict.STUCK_RENEWAL
    return Fragment(
        f"""
        WITH RECURSIVE chain (plan_id, last_id) AS (
            SELECT id, id FROM ({subjects.sql}) AS subject
            UNION
            SELECT chain.plan_id, renewal.renewed_subscription_plan_id
            FROM chain JOIN licenses_subscriptionplanrenewal AS renewal
              ON renewal.prior_subscription_plan_id = chain.last_id AND renewal.processed
        )
        SELECT chain.plan_id, CASE
            WHEN last.expiration_date > %s THEN '{ExpiryVerdict.RENEWED}'
            WHEN renewal.id IS NULL THEN '{ExpiryVerdict.DUE}'
            WHEN chain.plan_id <> chain.last_id THEN '{ExpiryVerdict.RENEWED}'
            WHEN renewal.effective_date > %s THEN '{ExpiryVerdict.RENEWAL_WAITS}'
            ELSE '{stuck}' END AS verdict
        FROM chain
        JOIN licenses_subscriptionplan AS last ON last.id = chain.last_id
        LEFT JOIN licenses_subscriptionplanrenewal AS renewal
          ON renewal.prior_subscription_plan_id = chain.last_id
        WHERE renewal.id IS NULL OR NOT renewal.processed
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (*subjects.params, at, at - RENEWAL_GRACE),
    )


def unlink_verdicts(
    at: datetime,
    *,
    license_ids: Sequence[int] | None = None,
    customer_id: int | None = None,
    downgraded: Fragment | None = None,
) -> Fragment:
    """Whether the holder of each live license whose plan has ended is unlinked.

    Columns: license_id, plan_id, customer_id, user_email, expiration_date, customer_learner_id
    (null where there is no link, or the verdict needs none), verdict. `downgraded` names plans
    (plan_id) that count as processed, for a forecast.
    """
    scope, scope_params = "", list[Any]()
    if license_ids is not None:
        scope, scope_params = "AND license.id = ANY(%s)", [list(license_ids)]
    elif customer_id is not None:
        scope, scope_params = "AND agreement.customer_id = %s", [customer_id]
    is_open = """NOT plan.expiration_processed OR EXISTS (
        SELECT 1 FROM licenses_licensedowngrade AS downgrade
        WHERE downgrade.subscription_plan_id = plan.id AND downgrade.finished_at IS NULL)"""
    if downgraded:
        is_open = f"NOT (plan.expiration_processed OR plan.id IN ({downgraded.sql}))"
    links, is_linked_elsewhere = _links(), _holds_another_license()
    return Fragment(
        f"""
        WITH held AS MATERIALIZED (
            SELECT license.id AS license_id, license.user_email, license.lms_user_id,
                   plan.id AS plan_id, plan.expiration_date, plan.customer_agreement_id,
                   agreement.customer_id, CASE
                WHEN license.renewed_to_id IS NOT NULL THEN '{UnlinkVerdict.RENEWED}'
                WHEN NOT (agreement.unlink_expired_enabled OR customer.uuid = ANY(%s::uuid[]))
                THEN '{UnlinkVerdict.NOT_OPTED_IN}'
                WHEN EXTRACT(EPOCH FROM %s - plan.expiration_date)
                     <= agreement.unlink_after_days * 86400.0 THEN '{UnlinkVerdict.TOO_RECENT}'
                WHEN EXISTS (
                    SELECT 1 FROM licenses_licenseevent AS event
                    WHERE event.license_id = license.id AND event.event_name = '{UNLINKED}')
                THEN '{UnlinkVerdict.ALREADY_UNLINKED}'
                WHEN license.user_email = '' THEN '{UnlinkVerdict.NO_EMAIL}'
                WHEN {is_open} THEN '{UnlinkVerdict.DOWNGRADE_OPEN}'
                ELSE '' END AS obstacle
            FROM licenses_license AS license
            JOIN licenses_subscriptionplan AS plan ON plan.id = license.subscription_plan_id
            JOIN licenses_customeragreement AS agreement ON agreement.id = plan.customer_agreement_id
            JOIN licenses_customer AS customer ON customer.id = agreement.customer_id
            WHERE license.status {IS_LIVE} AND plan.expiration_date <= %s {scope}
        )
        SELECT held.license_id, held.plan_id, held.customer_id, held.user_email,
               held.expiration_date, link.customer_learner_id, CASE
            WHEN held.obstacle <> '' THEN held.obstacle
            WHEN link.status = 'unlinked' THEN '{UnlinkVerdict.ALREADY_UNLINKED}'
            WHEN link.given_up_until >= held.expiration_date THEN '{UnlinkVerdict.GIVEN_UP}'
            WHEN {is_linked_elsewhere} THEN '{UnlinkVerdict.OTHER_LIVE_LICENSE}'
            ELSE '{UnlinkVerdict.UNLINK}' END AS verdict
        FROM held
        LEFT JOIN LATERAL ({links.sql}) AS link ON held.obstacle = ''
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (
            sorted(_customers_by_setting()),
            at,
            *(downgraded.params if downgraded else ()),
            at,
            *scope_params,
            *(at + SOON, at) * 2,
            *links.params,
        ),
    )


def _links() -> Fragment:
    """The learner's link to the customer: by address, or by the account with it or the LMS id.

    A linked one comes first where there are several.
    """
    accounts = Fragment.of(
        User.objects.exclude(email="").values_list("id", "email").order_by()
    ).renamed("id", "email")
    known = Fragment.of(
        User.objects.exclude(lms_user_id=None).values_list("id", "lms_user_id").order_by()
    ).renamed("id", "lms_user_id")
    link = f"""link.customer_id = held.customer_id AND link.role = '{CustomerRole.LEARNER}'
        AND held.obstacle = ''"""
    return Fragment(
        f"""
        SELECT found.id AS customer_learner_id, found.status, (
            SELECT plan.expiration_date FROM licenses_learnerunlink AS unlink
            JOIN licenses_license AS license ON license.id = unlink.license_id
            JOIN licenses_subscriptionplan AS plan ON plan.id = license.subscription_plan_id
            WHERE unlink.customer_learner_id = found.id AND unlink.given_up_at IS NOT NULL
        ) AS given_up_until
        FROM (
            SELECT link.id, link.status FROM licenses_customerlearner AS link
            WHERE link.user_email = held.user_email AND {link}
            UNION ALL
            SELECT link.id, link.status FROM ({accounts.sql}) AS account
            JOIN licenses_customerlearner AS link ON link.user_id = account.id
            WHERE lower(account.email) = held.user_email AND {link}
            UNION ALL
            SELECT link.id, link.status FROM ({known.sql}) AS account
            JOIN licenses_customerlearner AS link ON link.user_id = account.id
            WHERE account.lms_user_id = held.lms_user_id AND {link}
        ) AS found
        ORDER BY found.status, found.id LIMIT 1
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (*accounts.params, *known.params),
    )


def _holds_another_license() -> str:
    """Parameters: the last instant at which a plan starts soon, and `at`; twice."""
    other = f"""
        SELECT 1 FROM licenses_license AS other
        JOIN licenses_subscriptionplan AS plan ON plan.id = other.subscription_plan_id
        WHERE plan.customer_agreement_id = held.customer_agreement_id AND plan.is_active
          AND plan.start_date <= %s AND plan.expiration_date > %s AND other.status {IS_LIVE}"""  # noqa: S608 - composed of constants
    return f"""(
        EXISTS ({other} AND other.user_email = held.user_email AND other.user_email <> '')
        OR EXISTS ({other} AND other.lms_user_id = held.lms_user_id))"""


# --- What the rules say -------------------------------------------------------------------------


def plans_by_verdict(
    at: datetime, scope: ExpiryScope = EVERYTHING
) -> dict[ExpiryVerdict, list[int]]:
    """The plans that have ended, by what becomes of them, in the order in which they ended."""
    verdicts = plan_verdicts(at, scope)
    found: dict[ExpiryVerdict, list[int]] = {verdict: [] for verdict in ExpiryVerdict}
    for plan_id, verdict in _rows(
        f"SELECT v.plan_id, v.verdict FROM ({verdicts.sql}) AS v"  # noqa: S608 - the rule
        " JOIN licenses_subscriptionplan AS plan ON plan.id = v.plan_id"
        " ORDER BY plan.expiration_date, v.plan_id",
        verdicts.params,
    ):
        found[ExpiryVerdict(verdict)].append(plan_id)
    return found


def other_license_holders(license_ids: Iterable[int], *, at: datetime) -> set[int]:
    """Those of these licenses whose holders have another license of the customer by now."""
    return {
        license_id
        for (license_id,) in _rows(
            f"""
            SELECT held.id FROM (
                SELECT license.id, license.user_email, license.lms_user_id,
                       plan.customer_agreement_id
                FROM licenses_license AS license
                JOIN licenses_subscriptionplan AS plan ON plan.id = license.subscription_plan_id
                WHERE license.id = ANY(%s)
            ) AS held WHERE {_holds_another_license()}
            """,  # noqa: S608 - the rule
            (sorted(license_ids), *(at + SOON, at) * 2),
        )
    }


@dataclass(frozen=True)
class Step:
    """How many licenses and learners one step of an expiry has before it, and why or why not."""

    customer_id: int
    step: str
    verdict: str
    licenses: int
    learners: int


@dataclass(frozen=True)
class ForecastRow:
    """What happens to the holder of one license; `verdict` says why, or why not.

    `step` is "downgrade" (an `ExpiryVerdict`) or "unlink" (an `UnlinkVerdict`).
    """

    customer_id: int
    customer: str
    plan_uuid: UUID
    plan: str
    expiration_date: datetime
    license_uuid: UUID
    learner: str
    step: str
    happens: bool
    verdict: str


DOWNGRADE, UNLINK = "downgrade", "unlink"


def steps(
    at: datetime,
    *,
    scope: ExpiryScope = EVERYTHING,
    only: Sequence[str] = (DOWNGRADE, UNLINK),
    customer_id: int | None = None,
    counts_downgrades_as_done: bool = True,
) -> list[Step]:
    """Count the forecast's rows, in one statement."""
    source = _forecast(at, scope, only, customer_id, counts_downgrades_as_done)
    return [
        Step(*row)
        for row in _rows(
            f"SELECT f.customer_id, f.step, f.verdict, count(*), count(DISTINCT f.user_email)"  # noqa: S608 - the rules
            f" FROM ({source.sql}) AS f GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            source.params,
        )
    ]


def forecast(
    at: datetime,
    *,
    scope: ExpiryScope = EVERYTHING,
    only: Sequence[str] = (DOWNGRADE, UNLINK),
    customer_id: int | None = None,
    counts_downgrades_as_done: bool = True,
    limit: int | None = None,
    offset: int = 0,
) -> Iterator[ForecastRow]:
    """Who loses what on a date if plans stay as they are: by customer, plan and learner.

    By default everything that has to be downgraded before is taken for done.
    """
    source = _forecast(at, scope, only, customer_id, counts_downgrades_as_done)
    read = _pages if limit is None else _rows
    for row in read(
        f"""
        SELECT f.customer_id, customer.name, plan.uuid, plan.title, plan.expiration_date,
               license.uuid, f.user_email, f.step,
               f.verdict IN ('{ExpiryVerdict.DUE}', '{UnlinkVerdict.UNLINK}'), f.verdict
        FROM ({source.sql}) AS f
        JOIN licenses_license AS license ON license.id = f.license_id
        JOIN licenses_subscriptionplan AS plan ON plan.id = f.plan_id
        JOIN licenses_customer AS customer ON customer.id = f.customer_id
        ORDER BY customer.name, f.customer_id, f.step, plan.expiration_date, f.plan_id,
                 f.user_email, f.license_id
        LIMIT %s OFFSET %s
        """,  # noqa: S608 - the rules
        (*source.params, limit, offset),
    ):
        yield ForecastRow(*row)


def _forecast(
    at: datetime,
    scope: ExpiryScope,
    only: Sequence[str],
    customer_id: int | None,
    counts_downgrades_as_done: bool,
) -> Fragment:
    """The rows of both steps: customer_id, plan_id, license_id, user_email, step, verdict."""
    parts = []
    if DOWNGRADE in only:
        parts.append(_downgrades(at, scope, customer_id))
    if UNLINK in only:
        due = plan_verdicts(at, scope)
        downgraded = Fragment(
            f"SELECT v.plan_id FROM ({due.sql}) AS v WHERE v.verdict = '{ExpiryVerdict.DUE}'",  # noqa: S608 - the rule
            due.params,
        )
        rule = unlink_verdicts(
            at,
            customer_id=customer_id,
            downgraded=downgraded if counts_downgrades_as_done else None,
        )
        parts.append(
            Fragment(
                "SELECT v.customer_id, v.plan_id, v.license_id, v.user_email,"  # noqa: S608 - the rule
                f" '{UNLINK}' AS step, v.verdict FROM ({rule.sql}) AS v"
                " WHERE v.verdict <> ALL(%s)",
                (*rule.params, list(NOTHING_FOLLOWS)),
            )
        )
    return Fragment(
        " UNION ALL ".join(f"({part.sql})" for part in parts),
        tuple(param for part in parts for param in part.params),
    )


def _downgrades(at: datetime, scope: ExpiryScope, customer_id: int | None) -> Fragment:
    verdicts = plan_verdicts(at, scope)
    uncovered = licenses_to_downgrade(is_forced=scope.is_forced)
    return Fragment(
        f"""
        SELECT agreement.customer_id, plan.id AS plan_id, license.id AS license_id,
               license.user_email, '{DOWNGRADE}' AS step, v.verdict
        FROM ({verdicts.sql}) AS v
        JOIN licenses_subscriptionplan AS plan ON plan.id = v.plan_id
        JOIN licenses_customeragreement AS agreement ON agreement.id = plan.customer_agreement_id
        JOIN licenses_license AS license ON license.subscription_plan_id = plan.id
        WHERE {uncovered} AND (%s::bigint IS NULL OR agreement.customer_id = %s)
        """,  # noqa: S608 - the rule
        (*verdicts.params, customer_id, customer_id),
    )


def licenses_to_downgrade(*, is_forced: bool = False) -> str:
    """The condition on `license` and its `plan`: somebody holds it, and since the plan ended
    nothing was done about it."""
    if is_forced:
        return f"license.status {IS_LIVE}"
    return f"""license.status {IS_LIVE} AND NOT EXISTS (
        SELECT 1 FROM licenses_licensedowngrade AS downgrade
        WHERE downgrade.license_id = license.id
          AND downgrade.finished_at >= plan.expiration_date)"""  # noqa: S608 - composed of constants


# --- Customers that the settings name -------------------------------------------------------------


def unlinks_learners(agreement: CustomerAgreement) -> bool:
    """Whether a customer wants its learners unlinked, by its agreement or by the settings."""
    return agreement.unlink_expired_enabled or agreement.customer.uuid in _customers_by_setting()


def unknown_customers_in_settings() -> list[str]:
    """What CUSTOMERS_WITH_EXPIRED_LICENSES_UNLINKING_ENABLED names and nobody knows."""
    named = settings.CUSTOMERS_WITH_EXPIRED_LICENSES_UNLINKING_ENABLED
    if not named:
        return []
    wanted = _customers_by_setting()
    known = set(
        Customer.objects.filter(uuid__in=wanted, agreement__isnull=False).values_list(
            "uuid", flat=True
        )
    )
    return [text for text in named if _uuid(text) not in known]


def _customers_by_setting() -> set[UUID]:
    named = settings.CUSTOMERS_WITH_EXPIRED_LICENSES_UNLINKING_ENABLED
    return {uuid for text in named if (uuid := _uuid(text))}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None


def _rows(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(params))
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def _pages(sql: str, params: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement, a page at a time; not for connections through a pooler."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, list(params))
        while page := cursor.fetchmany(ROWS_AT_ONCE):
            yield from page
