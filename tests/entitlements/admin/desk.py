"""Staff at their desk: who they are, what they open, what they send."""

import re
from html import unescape
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.urls import reverse

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox
from entitlements.enums import RefundGateway, RefundStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRefund
from entitlements.selectors.standing import refund_key
from entitlements.services.refunding import REFUND
from tests.entitlements.factories import DAY
from tests.entitlements.pages.now import NOW
from tests.programs.factories import LearnerFactory


def member_of(*roles: str, **fields: Any) -> Client:
    person: User = LearnerFactory.create(is_staff=True, **fields)
    person.groups.set(Group.objects.filter(name__in=roles))
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    return client


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:entitlements_{name}", args=args)


def read(client: Client, address: str, **query: Any) -> str:
    response = client.get(address, query)
    assert response.status_code == 200, address
    return words(response)


def send(client: Client, address: str, **fields: Any) -> str:
    """What the reader sees in the end."""
    response = client.post(address, fields, follow=True)
    assert response.status_code == 200, address
    return words(response)


def words(response: Any) -> str:
    """What the page says, with one blank between words."""
    html = re.sub(r"<(script|style).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", html).split()))


def found(client: Client, model: str, **query: Any) -> list[Any]:
    response = client.get(url(f"{model}_changelist"), query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def being_asked(refund: CourseEntitlementRefund) -> CourseEntitlementRefund:
    """With the message that asks the gateway for it."""
    item = outbox.Item(
        cause=str(refund.pk), payload={"refund": refund.pk}, key=refund_key(refund.pk)
    )
    with transaction.atomic():
        outbox.enqueue(REFUND, [item], at=NOW)
    return refund


def refund_of(
    entitlement: CourseEntitlement,
    status: RefundStatus = RefundStatus.NEEDS_REVIEW,
    gateway: RefundGateway = RefundGateway.ORDERS,
    **fields: Any,
) -> CourseEntitlementRefund:
    is_settled = status not in {RefundStatus.PENDING, RefundStatus.NEEDS_REVIEW}
    given = {
        "requested_at": NOW - DAY,
        "settled_at": NOW if is_settled else None,
        "order_number": entitlement.order_number or "",
    }
    return CourseEntitlementRefund.objects.create(
        entitlement=entitlement, status=status, gateway=gateway, **{**given, **fields}
    )
