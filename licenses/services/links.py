"""Which people belong to a customer. The portal keeps it, and tells the LMS."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from credentials_portal.accounts.models import User, normalise_email
from credentials_portal.core import outbox
from credentials_portal.core.events import announce
from credentials_portal.core.history import (
    Attribution,
    delete_with_history,
    insert_history,
    newest_history_ids,
    update_each_with_history,
    update_with_history,
)
from credentials_portal.core.outbox import Delivery
from licenses.enums import CustomerRole, LinkStatus
from licenses.models import Customer, CustomerLearner, License, SubscriptionPlan
from licenses.selectors.people import accounts_by_email
from licenses.services import batches
from licenses.signals import CustomerLearnerFact, learner_unlinked

LINK = "licenses.link"
END_LINK = "licenses.end_link"
LEARNERS_PER_CALL = 50


class Person(NamedTuple):
    """Somebody with an account, or nothing but an address."""

    user_id: int | None
    email: str


@transaction.atomic
def link_learners(*, customer: Customer, emails: Collection[str], by: Attribution) -> int:
    """Link the people with these addresses to the customer; returns how many were not before.

    Who was unlinked for good (`is_relinkable` is false) stays so. The LMS learns of new links.
    """
    addresses = sorted({normalise_email(email) for email in emails} - {""})
    accounts = accounts_by_email(addresses)
    people = [
        Person(accounts[email].user_id if email in accounts else None, email) for email in addresses
    ]
    return _link(customer, people, by=by)


@transaction.atomic
def link_user(*, customer: Customer, user: User, by: Attribution) -> int:
    """Link this person; a link that was made by address becomes the account's."""
    return _link(customer, [Person(user.pk, normalise_email(user.email))], by=by)


@transaction.atomic
def unlink_learners(
    learners: QuerySet[CustomerLearner], *, by: Attribution, is_relinkable: bool = True
) -> list[CustomerLearnerFact]:
    """Unlink those of these people who are linked, in one statement, and announce it.

    The LMS is not told: whoever asks for it has told it, or does.
    """
    unlinked = [
        CustomerLearnerFact(pk, customer_id, user_id)
        for pk, customer_id, user_id in update_with_history(
            learners.filter(status=LinkStatus.LINKED),
            {
                "status": LinkStatus.UNLINKED,
                "unlinked_at": by.at,
                "is_relinkable": is_relinkable,
            },
            by=by,
            returning=("pk", "customer_id", "user_id"),
        )
    ]
    announce(learner_unlinked, unlinked, at=by.at, actor=by.actor, cause=by.cause)
    return unlinked


@transaction.atomic
def unlink_without_license(
    *, customer: Customer, user_ids: Collection[int], by: Attribution
) -> set[int]:
    """Unlink these learners for good, but for those who hold a license of a plan that lasts.

    Returns who stays for that. The LMS is told.
    """
    _lock_plans(customer)
    users = User.objects.in_bulk(user_ids)
    stay = _license_holders(customer, users.values(), at=by.at)
    gone = [user for pk, user in sorted(users.items()) if pk not in stay]
    addresses = {normalise_email(user.email) for user in gone} - {""}
    links = CustomerLearner.objects.filter(
        Q(user__in=gone) | Q(user_id=None, user_email__in=addresses),
        customer=customer,
        role=CustomerRole.LEARNER,
    )
    ended = unlink_learners(links, by=by, is_relinkable=False)
    _tell_lms(END_LINK, customer, [fact.customer_learner_id for fact in ended], by=by)
    return stay


def record_links(deliveries: Sequence[Delivery], at: datetime) -> None:
    """Of the links nothing changes; what the LMS refused together is told again in halves."""
    outbox.enqueue(LINK, batches.settle(deliveries).halves, at=at)


def record_ended_links(deliveries: Sequence[Delivery], at: datetime) -> None:
    """As of `record_links`."""
    outbox.enqueue(END_LINK, batches.settle(deliveries).halves, at=at)


def _lock_plans(customer: Customer) -> None:
    """Nobody is given a seat of the customer until the transaction ends."""
    plans = SubscriptionPlan.objects.filter(customer_agreement__customer=customer).order_by("pk")
    list(plans.select_for_update(of=("self",), no_key=True).values_list("pk"))


def _license_holders(customer: Customer, users: Collection[User], *, at: datetime) -> set[int]:
    by_email = {normalise_email(user.email): user.pk for user in users if user.email}
    by_account: dict[int | None, int] = {
        user.lms_user_id: user.pk for user in users if user.lms_user_id is not None
    }
    held = License.objects.live().filter(
        Q(user_email__in=by_email) | Q(lms_user_id__in=by_account),
        subscription_plan__customer_agreement__customer=customer,
        subscription_plan__expiration_date__gt=at,
    )
    return {
        owner
        for email, lms_user_id in held.values_list("user_email", "lms_user_id")
        for owner in (by_email.get(email), by_account.get(lms_user_id))
        if owner is not None
    }


def _link(customer: Customer, people: Sequence[Person], *, by: Attribution) -> int:
    if not people:
        return 0
    known = _known_links(customer, people)
    _give_links_to_accounts(known, people, by=by)
    relinked = update_with_history(
        CustomerLearner.objects.filter(
            pk__in=[link.pk for link in known], status=LinkStatus.UNLINKED, is_relinkable=True
        ),
        {"status": LinkStatus.LINKED, "linked_at": by.at, "unlinked_at": None},
        by=by,
    )
    users = {link.user_id for link in known} - {None}
    emails = {link.user_email for link in known} - {""}
    created = _create_links(
        customer,
        [one for one in people if one.user_id not in users and one.email not in emails],
        by=by,
    )
    linked = [*(pk for (pk,) in relinked), *created]
    _tell_lms(LINK, customer, linked, by=by)
    return len(linked)


def _known_links(customer: Customer, people: Sequence[Person]) -> list[CustomerLearner]:
    users = [one.user_id for one in people if one.user_id is not None]
    emails = [one.email for one in people if one.email]
    return list(
        CustomerLearner.objects.filter(
            Q(user_id__in=users) | Q(user_id=None, user_email__in=emails),
            customer=customer,
            role=CustomerRole.LEARNER,
        )
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )


def _give_links_to_accounts(
    known: list[CustomerLearner], people: Sequence[Person], *, by: Attribution
) -> None:
    """Links by address become their account's, or go where the account has one already."""
    accounts = {one.email: one.user_id for one in people if one.user_id is not None and one.email}
    by_account = {link.user_id for link in known}
    by_address = [link for link in known if link.user_id is None and link.user_email in accounts]
    superfluous = [link for link in by_address if accounts[link.user_email] in by_account]
    given = [link for link in by_address if link not in superfluous]
    if superfluous:
        delete_with_history(CustomerLearner, [link.pk for link in superfluous], by=by)
        known[:] = [link for link in known if link not in superfluous]
    for link in given:
        link.user_id, link.user_email = accounts[link.user_email], ""
    update_each_with_history(
        CustomerLearner,
        {link.pk: {"user_id": link.user_id, "user_email": ""} for link in given},
        by=by,
    )


def _create_links(customer: Customer, people: Sequence[Person], *, by: Attribution) -> list[int]:
    """Insert a link for each; one that somebody else inserted meanwhile is left alone."""
    if not people:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO licenses_customerlearner (
                customer_id, user_id, user_email, role, status, is_relinkable, linked_at,
                created, modified)
            SELECT %(customer)s, given.user_id, given.user_email, %(role)s, %(status)s, true,
                   %(at)s, %(at)s, %(at)s
            FROM unnest(%(users)s::bigint[], %(emails)s::text[]) AS given (user_id, user_email)
            ORDER BY given.user_id, given.user_email
            ON CONFLICT DO NOTHING
            RETURNING id
            """,
            {
                "customer": customer.pk,
                "role": CustomerRole.LEARNER,
                "status": LinkStatus.LINKED,
                "at": by.at,
                "users": [one.user_id for one in people],
                "emails": [one.email if one.user_id is None else "" for one in people],
            },
        )
        created = [pk for (pk,) in cursor.fetchall()]
    insert_history(CustomerLearner, created, history_type="+", by=by)
    return created


def _tell_lms(kind: str, customer: Customer, learners: Sequence[int], *, by: Attribution) -> None:
    if not learners:
        return
    changes = newest_history_ids(CustomerLearner, learners)
    calls = [
        sorted(learners)[start : start + LEARNERS_PER_CALL]
        for start in range(0, len(learners), LEARNERS_PER_CALL)
    ]
    outbox.enqueue(
        kind,
        [
            outbox.Item(
                cause=str(changes[call[0]]),
                payload={"customer": customer.pk, batches.ROWS: call},
                scope=str(customer.uuid),
            )
            for call in calls
        ],
        at=by.at,
    )
