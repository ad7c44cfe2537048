"""Who is behind the addresses that administrators name."""

from collections.abc import Collection
from typing import NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Lower

from credentials_portal.accounts.models import User
from licenses.enums import CustomerRole, LinkStatus
from licenses.models import CustomerLearner


class Account(NamedTuple):
    user_id: int
    lms_user_id: int | None


def accounts_by_email(emails: Collection[str]) -> dict[str, Account]:
    """The accounts of these addresses, given in lower case, in one statement."""
    addresses = [email for email in emails if email]
    if not addresses:
        return {}
    # In the words of the index.
    users = User.objects.annotate(folded_email=Lower("email")).filter(folded_email__in=addresses)
    return {
        email: Account(pk, lms_user_id)
        for email, pk, lms_user_id in users.values_list("folded_email", "pk", "lms_user_id")
    }


def lms_user_ids_by_email(emails: Collection[str]) -> dict[str, int]:
    """The ids in the LMS of those of these people who have one."""
    return {
        email: account.lms_user_id
        for email, account in accounts_by_email(emails).items()
        if account.lms_user_id is not None
    }


def administrators() -> QuerySet[CustomerLearner]:
    """Who looks after customers now, with their accounts where they have one."""
    links = CustomerLearner.objects.filter(role=CustomerRole.ADMIN, status=LinkStatus.LINKED)
    return links.select_related("user").order_by("pk")
