"""Plans around the moment at which the pages look, and who looks at them."""

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from credentials_portal.accounts.models import User
from licenses.enums import CustomerRole
from licenses.models import Customer, CustomerLearner, License, SubscriptionPlan
from licenses.services import activate_license
from tests.licenses.factories import (
    DAY,
    HOUR,
    CustomerLearnerFactory,
    LearnerFactory,
    assign,
    by_at,
    plan_with_seats,
    refresh,
)

NOW = timezone.now()


def plan_now(seats: int = 0, *, days_left: int = 100, **fields: Any) -> SubscriptionPlan:
    """A plan that began 100 days ago; below zero it has ended."""
    period = {"start_date": NOW - 100 * DAY, "expiration_date": NOW + days_left * DAY + HOUR}
    return plan_with_seats(seats, **{**period, **fields})


def give(plan: SubscriptionPlan, *people: User, ago: timedelta = HOUR) -> list[License]:
    return assign(plan, *(person.email for person in people), at=NOW - ago)


def take(plan: SubscriptionPlan, *people: User, ago: timedelta = HOUR) -> list[License]:
    """Licenses that were given to these people, and that they activated at once."""
    given = give(plan, *people, ago=ago)
    for license, person in zip(given, people, strict=True):
        assert license.activation_key
        key = license.activation_key
        activate_license(activation_key=key, user=person, by=by_at(NOW - ago))
    refresh(given)
    return given


def learner(**fields: Any) -> User:
    person: User = LearnerFactory.create(**fields)
    return person


def administrator_of(customer: Customer, **fields: Any) -> User:
    link: CustomerLearner = CustomerLearnerFactory.create(
        customer=customer, role=CustomerRole.ADMIN, **fields
    )
    assert link.user
    return link.user


def staff(*permissions: str) -> User:
    person: User = LearnerFactory.create(is_staff=True)
    named = Permission.objects.filter(codename__in=permissions)
    assert len(named) == len(permissions)
    person.user_permissions.set(named)
    return person


def signed_in(person: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    return client


def words(response: Any) -> str:
    """What the page says, with one blank between words."""
    html = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", html).split()))


def day(at: datetime) -> str:
    local = timezone.localtime(at)
    return f"{local.day} {local:%B %Y}"
