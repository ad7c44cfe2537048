"""Who looks after a customer's seats."""

from django.db import transaction

from credentials_portal.accounts.models import normalise_email
from credentials_portal.core.history import Attribution, save_with_history
from licenses.enums import CustomerRole, LinkStatus
from licenses.models import Customer, CustomerLearner
from licenses.selectors.people import accounts_by_email


@transaction.atomic
def appoint_administrator(*, customer: Customer, email: str, by: Attribution) -> CustomerLearner:
    """Make the person with this address an administrator of the customer, again if need be.

    An address without an account becomes one's when its owner signs in with it.
    """
    locked = Customer.objects.select_for_update(of=("self",), no_key=True).get(pk=customer.pk)
    address = normalise_email(email)
    account = accounts_by_email([address]).get(address)
    named = {"user_id": account.user_id} if account else {"user": None, "user_email": address}
    known = CustomerLearner.objects.filter(customer=locked, role=CustomerRole.ADMIN)
    link = known.filter(**named).first()
    if link is None:
        link = CustomerLearner(customer=locked, role=CustomerRole.ADMIN, **named)
    elif link.status == LinkStatus.LINKED:
        return link
    link.status, link.linked_at, link.unlinked_at = LinkStatus.LINKED, by.at, None
    save_with_history(link, by=by)
    return link
