"""Asking the order service for refunds; without one they wait for staff to pay them by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from credentials_portal.clients.http import Answer, Refused, Result, Unavailable
from credentials_portal.clients.orders import Orders, orders
from credentials_portal.core import outbox
from credentials_portal.core.history import Attribution
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import OutboxKind, Outcome
from entitlements.enums import UNSETTLED_REFUNDS, RefundGateway
from entitlements.models import CourseEntitlementRefund
from entitlements.services.refunding import (
    REFUND,
    Accepted,
    Denied,
    note_arrival,
    record_refunds,
)

NOTHING_TO_REFUND = "nothing_to_refund"
# Nothing was sent: there was no token, or no connection.
UNSENT = ("token.", "lost.Connect", "lost.PoolTimeout", "lost.UnsupportedProtocol")


def deliver_refunds(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    """Ask for refunds that nobody settled meanwhile."""
    return {message.pk: _deliver(message, at) for message in messages}


def _deliver(message: OutboxMessage, at: datetime) -> Outcome:
    refund, client = _refund_of(message), orders()
    if refund.status not in UNSETTLED_REFUNDS:
        return Outcome.skipped("settled")
    if refund.gateway == RefundGateway.MANUAL:
        return Outcome.done(Accepted())
    if client is None:
        return Outcome.dead("no_orders")
    if refund.entitlement.user.is_retired:
        # The order service knows them by a name that is erased here.
        return Outcome.dead("learner_left")
    return _outcome(_ask(client, refund, message, at))


@transaction.atomic(durable=True)
def _refund_of(message: OutboxMessage) -> CourseEntitlementRefund:
    """The refund as it stands, once whatever staff are just deciding about it is stored."""
    refunds = CourseEntitlementRefund.objects.select_related("entitlement__user")
    locked = refunds.select_for_update(of=("self",), no_key=True)
    return locked.get(pk=message.payload["refund"])


def _ask(
    client: Orders, refund: CourseEntitlementRefund, message: OutboxMessage, at: datetime
) -> Result:
    """One call; that it may have made the refund is committed, whatever ends it.

    Of a call that began and did not end the deliverer was lost.
    """
    by = Attribution(at=at, cause=REFUND)
    if message.call_began:
        note_arrival(refund.pk, by=by)
    outbox.begin_call(message)
    result: Result = Unavailable("no_result")
    try:
        result = client.open_refund(
            order_number=refund.order_number,
            username=refund.entitlement.user.username,
            entitlement_uuid=refund.entitlement.uuid,
        )
    finally:
        if _may_be_made(result):
            note_arrival(refund.pk, by=by)
    return result


def _may_be_made(result: Result) -> bool:
    match result:
        case Refused() | Answer(body=[]):
            return False
        case Answer():
            return True
        case Unavailable(reason=reason):
            return not reason.startswith(UNSENT)


def _outcome(result: Result) -> Outcome:
    match result:
        case Answer(body=[]):
            return Outcome.failed(NOTHING_TO_REFUND, Denied(NOTHING_TO_REFUND))
        case Answer(body=ids):
            return Outcome.done(Accepted(ids))
        case Refused(reason=reason):
            return Outcome.failed(reason, Denied(reason))
        case Unavailable(reason=reason, retry_after=after):
            return Outcome.retry(reason, after=after)


KINDS = (OutboxKind(name=REFUND, deliver=deliver_refunds, record=record_refunds),)
