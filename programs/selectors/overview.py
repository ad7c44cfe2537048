"""How credit requests stand at a glance: those that need somebody."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import BigIntegerField, Exists, OuterRef, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from credentials_portal.core.counting import Count
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from programs.enums import CreditRequestStatus
from programs.models import UserCreditPathway

CREDIT_REQUEST = "programs.credit_request"
"""The kind of the outbox' messages to institutions; each names its `request`."""

LATELY = timedelta(days=30)


@dataclass(frozen=True)
class CreditStanding:
    failed: Count
    unclear: Count


def credit_standing(at: datetime) -> CreditStanding:
    """Two statements."""
    return CreditStanding(Count.of(requests_that_failed(at)), Count.of(unclear_requests()))


def requests_that_failed(at: datetime) -> QuerySet[UserCreditPathway]:
    """Those of the last 30 days that could not be sent, and whose learners did not ask again."""
    later = UserCreditPathway.objects.filter(
        user=OuterRef("user"),
        pathway=OuterRef("pathway"),
        program=OuterRef("program"),
        number__gt=OuterRef("number"),
    )
    failed = UserCreditPathway.objects.filter(
        status=CreditRequestStatus.FAILED, requested_at__gt=at - LATELY
    )
    return failed.exclude(Exists(later))


def unclear_requests() -> QuerySet[UserCreditPathway]:
    """Those of which nobody knows whether they were sent: staff find out, and settle the message."""
    uncertain = OutboxMessage.objects.filter(kind=CREDIT_REQUEST, status=OutboxStatus.UNCERTAIN)
    named = Cast(KeyTextTransform("request", "payload"), BigIntegerField())
    return UserCreditPathway.objects.filter(
        status=CreditRequestStatus.QUEUED, pk__in=uncertain.order_by().values_list(named)
    )


def message_to_institution(request: UserCreditPathway) -> OutboxMessage | None:
    """How the mail to the institution fares; finished ones are forgotten after a while."""
    cause = f"{CREDIT_REQUEST}:{request.pk}"
    return OutboxMessage.objects.filter(dedupe_key=cause).first()
