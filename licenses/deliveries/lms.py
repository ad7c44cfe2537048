"""Calls to the LMS, sent by the outbox.

Without an LMS nobody is called: the message is skipped as "no_lms", so that one can see what the
LMS would have been told, and the portal goes on as if it had been.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db import connection

from credentials_portal.clients.http import Answer, Refused, Result, Unavailable
from credentials_portal.clients.lms import Lms, lms
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.core.outbox import OutboxKind, Outcome
from credentials_portal.core.sql import among
from licenses.enums import ExpiryVerdict, LicenseStatus, LinkStatus, UnlinkVerdict
from licenses.models import (
    Customer,
    CustomerLearner,
    LearnerUnlink,
    License,
    LicenseDowngrade,
    SubscriptionPlan,
)
from licenses.selectors.expiry import ExpiryScope, plan_verdicts, unlink_verdicts
from licenses.services.batches import NO_LMS, ROWS, SPLIT
from licenses.services.expiring import DOWNGRADE, record_downgrades
from licenses.services.links import END_LINK, LINK, record_ended_links, record_links
from licenses.services.revoking import REVOKE_ENROLLMENTS
from licenses.services.unlinking import UNLINK, record_unlinks

MESSAGES_AT_ONCE = 10
# Longer than that many calls may take.
LEASE = timedelta(minutes=15)

# What the LMS answers when some of many are at fault, and refuses all of them for it.
DIVISIBLE = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
# From this attempt on a failing page may fail because of one row that the LMS cannot bear.
DIVIDE_FAILING_FROM = 3
# The LMS leaves alone what was enrolled anew since the plan ended, unless that is too fresh to tell.
FRESH = timedelta(days=1)

Call = Callable[[Lms], Result]


def deliver_downgrades(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    """End the paid enrollments of licenses whose plans have ended, and still have."""
    wanted = _open_downgrades(messages, at)
    plans = SubscriptionPlan.objects.in_bulk({message.payload["plan"] for message in messages})
    session = Session()
    outcomes = {}
    for message in messages:
        rows = {pk: wanted[pk] for pk in message.payload[ROWS] if pk in wanted}
        ended_at = plans[message.payload["plan"]].expiration_date
        since = ended_at if at - ended_at > FRESH else None
        outcomes[message.pk] = session.tell(
            message,
            sorted(rows),
            partial(
                Lms.expire_enrollments,
                license_uuids=list(rows.values()),
                ignore_modified_after=since,
            ),
        )
    return outcomes


def deliver_unlinks(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    """Unlink learners, but for those who got a license meanwhile."""
    wanted = _open_unlinks(messages, at)
    customers = Customer.objects.select_related("agreement").in_bulk(
        {message.payload["customer"] for message in messages}
    )
    session = Session()
    outcomes = {}
    for message in messages:
        rows = {pk: wanted[pk] for pk in message.payload[ROWS] if pk in wanted}
        customer = customers[message.payload["customer"]]
        outcomes[message.pk] = session.tell(
            message,
            sorted(rows),
            partial(
                Lms.unlink_learners,
                customer_uuid=customer.uuid,
                emails=list(rows.values()),
                is_relinkable=customer.agreement.unlink_is_relinkable,
            ),
        )
    return outcomes


def deliver_links(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    """Link learners who are linked still."""
    return _tell_of_links(messages, Lms.link_learners, status=LinkStatus.LINKED)


def deliver_ended_links(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    """Unlink learners who are unlinked for good still."""
    call = partial(Lms.unlink_learners, is_relinkable=False)
    return _tell_of_links(messages, call, status=LinkStatus.UNLINKED, is_relinkable=False)


def _tell_of_links(
    messages: Sequence[OutboxMessage], call: Callable[..., Result], **still: Any
) -> dict[int, Outcome]:
    links = CustomerLearner.objects.filter(pk__in=_rows(messages), **still).select_related("user")
    emails = {
        link.pk: address
        for link in links
        if (address := link.user_email or (link.user.email if link.user else ""))
    }
    session = Session()
    outcomes = {}
    for message in messages:
        known = [pk for pk in message.payload[ROWS] if pk in emails]
        of_these = partial(
            call, customer_uuid=UUID(message.scope), emails=[emails[pk] for pk in known]
        )
        outcomes[message.pk] = session.tell(message, known, of_these)
    return outcomes


def deliver_revocations(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    """End the paid enrollments of learners whose licenses were revoked."""
    users = dict(
        License.objects.filter(
            pk__in=[message.payload["license"] for message in messages],
            status=LicenseStatus.REVOKED,
            lms_user_id__isnull=False,
        ).values_list("pk", "lms_user_id")
    )
    session = Session()
    outcomes = {}
    for message in messages:
        revoked = [pk for pk in [message.payload["license"]] if pk in users]
        call = partial(
            Lms.revoke_enrollments,
            customer_uuid=UUID(message.scope),
            lms_user_id=users.get(message.payload["license"]) or 0,
        )
        outcomes[message.pk] = session.tell(message, revoked, call)
    return outcomes


class Session:
    """The calls for one batch of messages. Who does not answer once is not asked again in it."""

    def __init__(self) -> None:
        self._client = lms()
        self._silent: set[str] = set()

    def tell(self, message: OutboxMessage, rows: Sequence[int], call: Call) -> Outcome:
        """Call for the rows of a message that are still wanted, and say what came of it."""
        if not rows:
            return Outcome.skipped("not_wanted")
        if self._client is None:
            return Outcome(OutboxStatus.SKIPPED, NO_LMS, detail=rows)
        if message.scope in self._silent:
            return Outcome.retry("not_tried")
        result = call(self._client)
        if isinstance(result, Unavailable):
            self._silent.add(message.scope)
        return _outcome(result, message, rows)


def _outcome(result: Result, message: OutboxMessage, rows: Sequence[int]) -> Outcome:
    is_divisible = len(rows) > 1
    match result:
        case Answer():
            return Outcome.done(detail=rows)
        case Refused(status=status) if is_divisible and status in DIVISIBLE:
            return Outcome(OutboxStatus.SKIPPED, SPLIT, detail=rows)
        case Refused(status=HTTPStatus.UNPROCESSABLE_ENTITY, reason=reason):
            # One that failed although others were done: it may pass.
            return Outcome.retry(reason, remote_answered=True)
        case Refused(reason=reason):
            return Outcome.dead(reason)
        case Unavailable(status=status) if (
            is_divisible
            and status == HTTPStatus.INTERNAL_SERVER_ERROR
            and message.attempts >= DIVIDE_FAILING_FROM
        ):
            return Outcome(OutboxStatus.SKIPPED, SPLIT, detail=rows)
        case Unavailable(reason=reason, retry_after=after):
            return Outcome.retry(reason, after=after)


def _open_downgrades(messages: Sequence[OutboxMessage], at: datetime) -> dict[int, UUID]:
    """The licenses of which the downgrade is open, if no renewal is to come first by now."""
    everything = ExpiryScope(is_forced=True, takes_stuck=True)
    verdicts = plan_verdicts(
        at, everything, plan_ids=sorted({message.payload["plan"] for message in messages})
    )
    ended = _ids(
        f"SELECT v.plan_id FROM ({verdicts.sql}) AS v WHERE v.verdict = %s",  # noqa: S608 - the rule
        [*verdicts.params, ExpiryVerdict.DUE],
    )
    return dict(
        LicenseDowngrade.objects.filter(
            license__in=among(_rows(messages)), finished_at=None, subscription_plan__in=ended
        ).values_list("license", "license__uuid")
    )


def _open_unlinks(messages: Sequence[OutboxMessage], at: datetime) -> dict[int, str]:
    """The addresses of those who are to be unlinked still."""
    waiting = LearnerUnlink.objects.filter(pk__in=among(_rows(messages)), given_up_at=None)
    found = list(waiting.values_list("pk", "license", "customer_learner_id", "license__user_email"))
    verdicts = unlink_verdicts(at, license_ids=[license_id for _, license_id, _, _ in found])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT v.license_id, v.customer_learner_id"  # noqa: S608 - the rule
            f" FROM ({verdicts.sql}) AS v WHERE v.verdict = %s",
            [*verdicts.params, UnlinkVerdict.UNLINK],
        )
        still = set(cursor.fetchall())
    return {pk: email for pk, license, link, email in found if (license, link) in still}


def _rows(messages: Collection[OutboxMessage]) -> list[int]:
    return [pk for message in messages for pk in message.payload[ROWS]]


def _ids(sql: str, params: Sequence[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [pk for (pk,) in cursor.fetchall()]


KINDS = tuple(
    OutboxKind(name=name, deliver=deliver, record=record, batch_size=MESSAGES_AT_ONCE, lease=LEASE)
    for name, deliver, record in (
        (DOWNGRADE, deliver_downgrades, record_downgrades),
        (UNLINK, deliver_unlinks, record_unlinks),
        (LINK, deliver_links, record_links),
        (END_LINK, deliver_ended_links, record_ended_links),
        (REVOKE_ENROLLMENTS, deliver_revocations, None),
    )
)
