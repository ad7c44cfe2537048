"""What somebody may do with a customer's seats, beyond seeing them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from credentials_portal.accounts.models import User
from licenses.enums import CustomerRole
from licenses.models import Customer, CustomerLearner, License
from licenses.models.customers import MANAGE_ANY, sees_all

ASSIGN, REVOKE = "licenses.assign_license", "licenses.revoke_license"


def may_act_for(user: Any, customer: Customer, permission: str) -> bool:
    """Whether this user may assign, or revoke, this customer's licenses.

    The customer's administrators may. Staff and services need `permission` and the one to act for
    every customer.
    """
    links = CustomerLearner.objects.links_of(user)
    if links.filter(customer=customer, role=CustomerRole.ADMIN).exists():
        return True
    return may_act_for_every(user, permission)


def may_act_for_every(user: Any, permission: str) -> bool:
    return bool(user.has_perms((MANAGE_ANY, permission)))


def belongs_somewhere(user: Any) -> bool:
    """Whether this user is anybody's learner or administrator, or sees every customer."""
    return License.objects.held_by_user(user).exists() or Customer.objects.visible_to(user).exists()


def administers_something(user: Any) -> bool:
    return Customer.objects.administered_by(user).exists()


def sees_every_customer(user: Any) -> bool:
    """Whether all customers are among `customers_administered_by` this user, in one statement."""
    return bool(User.objects.filter(sees_all(user), pk=user.pk).exists())


def customers_administered_by(user: Any) -> QuerySet[Customer]:
    """Customers whose seats, and whose learners' requests, this user sees."""
    return Customer.objects.administered_by(user)


def customers_visible_to(user: Any) -> QuerySet[Customer]:
    """Those, and the customers to which this user is linked in any role."""
    return Customer.objects.visible_to(user)


def customer_by_uuid(customer_uuid: UUID | None) -> Customer | None:
    """The customer, whoever asks: for who judges `may_act_for` next."""
    return Customer.objects.filter(uuid=customer_uuid).first() if customer_uuid else None


def customers_linked_to(user: Any) -> QuerySet[Customer]:
    """Customers to which this person belongs, in whatever role; nothing for staff's sake."""
    links = CustomerLearner.objects.links_of(user)
    return Customer.objects.filter(pk__in=links.values("customer"))
