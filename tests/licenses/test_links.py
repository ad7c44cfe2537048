"""Who belongs to a customer, by account or by address."""

import pytest

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from licenses.models import Customer, CustomerLearner, License
from licenses.services import (
    link_learners,
    link_user,
    revoke_licenses,
    unlink_learners,
    unlink_without_license,
)
from licenses.signals import learner_unlinked
from tests.letters.conftest import Statements
from tests.licenses.conftest import Heard
from tests.licenses.factories import (
    AT,
    BY,
    DAY,
    CustomerFactory,
    CustomerLearnerFactory,
    LearnerFactory,
    assign,
    by_at,
    emails,
    plan_with_seats,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory.create()


def links(customer: Customer) -> set[tuple[int | None, str, str]]:
    rows = CustomerLearner.objects.filter(customer=customer)
    return set(rows.values_list("user_id", "user_email", "status"))


def told_lms() -> list[list[int]]:
    rows = OutboxMessage.objects.filter(kind="licenses.link").order_by("pk")
    return [row.payload["rows"] for row in rows]


def test_links_people_by_account_where_they_have_one(customer: Customer) -> None:
    ann = LearnerFactory.create(email="ann@example.com")

    linked = link_learners(customer=customer, emails=["Ann@example.com", "bob@example.com"], by=BY)

    assert linked == 2
    assert links(customer) == {(ann.pk, "", "linked"), (None, "bob@example.com", "linked")}
    assert rows_without_true_history(CustomerLearner) == 0


def test_linking_again_changes_nothing(customer: Customer) -> None:
    link_learners(customer=customer, emails=["ann@example.com"], by=BY)

    assert link_learners(customer=customer, emails=["ANN@example.com"], by=by_at(AT + DAY)) == 0
    assert len(told_lms()) == 1
    assert CustomerLearner.history.count() == 1


def test_the_same_person_may_belong_to_two_customers(customer: Customer) -> None:
    other = CustomerFactory.create()

    assert link_learners(customer=customer, emails=["ann@example.com"], by=BY) == 1
    assert link_learners(customer=other, emails=["ann@example.com"], by=BY) == 1


def test_an_administrators_link_is_another_one(customer: Customer) -> None:
    admin = CustomerLearnerFactory.create(customer=customer, admin=True)
    assert admin.user

    assert link_user(customer=customer, user=admin.user, by=BY) == 1
    assert CustomerLearner.objects.filter(customer=customer, user=admin.user).count() == 2


def test_links_again_who_was_unlinked(customer: Customer) -> None:
    link = CustomerLearnerFactory.create(customer=customer, unlinked=True)
    assert link.user

    assert link_user(customer=customer, user=link.user, by=by_at(AT + DAY)) == 1

    link.refresh_from_db()
    assert (link.status, link.linked_at, link.unlinked_at) == ("linked", AT + DAY, None)
    assert told_lms() == [[link.pk]]


def test_who_was_unlinked_for_good_stays_so(customer: Customer) -> None:
    link = CustomerLearnerFactory.create(customer=customer, unlinked=True, is_relinkable=False)
    assert link.user

    assert link_user(customer=customer, user=link.user, by=BY) == 0

    link.refresh_from_db()
    assert link.status == "unlinked"
    assert told_lms() == []


def test_a_link_by_address_becomes_the_accounts(customer: Customer) -> None:
    link = CustomerLearnerFactory.create(
        customer=customer, by_address=True, user_email="ann@example.com"
    )
    ann = LearnerFactory.create(email="ann@example.com")

    assert link_user(customer=customer, user=ann, by=BY) == 0

    link.refresh_from_db()
    assert (link.user, link.user_email) == (ann, "")


def test_two_links_of_one_person_become_one(customer: Customer) -> None:
    ann = LearnerFactory.create(email="ann@example.com")
    by_account = CustomerLearnerFactory.create(customer=customer, user=ann, unlinked=True)
    CustomerLearnerFactory.create(customer=customer, by_address=True, user_email=ann.email)

    link_user(customer=customer, user=ann, by=BY)

    assert links(customer) == {(ann.pk, "", "linked")}
    assert CustomerLearner.objects.get() == by_account


def test_tells_the_lms_in_calls_of_fifty(customer: Customer) -> None:
    link_learners(customer=customer, emails=emails(120), by=BY)

    assert [len(call) for call in told_lms()] == [50, 50, 20]
    assert set(OutboxMessage.objects.values_list("scope", flat=True)) == {str(customer.uuid)}


def test_unlinks_and_announces_who_was_linked(customer: Customer, announced: Heard) -> None:
    linked, _unlinked = (
        CustomerLearnerFactory.create(customer=customer),
        CustomerLearnerFactory.create(customer=customer, unlinked=True),
    )

    facts = unlink_learners(CustomerLearner.objects.all(), is_relinkable=False, by=BY)

    linked.refresh_from_db()
    assert [fact.customer_learner_id for fact in facts] == [linked.pk]
    assert (linked.status, linked.unlinked_at, linked.is_relinkable) == ("unlinked", AT, False)
    assert announced == [(learner_unlinked, tuple(facts))]


def test_unlinks_for_good_whose_license_is_gone_or_was_never_there(customer: Customer) -> None:
    plan = plan_with_seats(4, customer_agreement__customer=customer)
    by_address, by_account, without, revoked, stranger = LearnerFactory.create_batch(5)
    users = [by_address, by_account, without, revoked]
    assign(plan, *[user.email for user in users if user is not without])
    revoke_licenses(plan_uuid=plan.uuid, emails=[revoked.email], by=BY)
    License.objects.filter(user_email=by_account.email).update(
        user_email="former@example.com", lms_user_id=by_account.lms_user_id
    )
    link_user(customer=customer, user=without, by=BY)

    stay = unlink_without_license(
        customer=customer, user_ids=[user.pk for user in (*users, stranger)], by=BY
    )

    assert stay == {by_address.pk, by_account.pk}
    ended = CustomerLearner.objects.filter(status="unlinked", is_relinkable=False)
    assert set(ended.values_list("user", flat=True)) == {without.pk, revoked.pk}
    (told,) = OutboxMessage.objects.filter(kind="licenses.end_link")
    assert told.payload["rows"] == sorted(ended.values_list("pk", flat=True))


@pytest.mark.parametrize("count", [1, 50])
def test_links_in_a_fixed_number_of_statements(
    customer: Customer, statements: Statements, count: int
) -> None:
    with statements.counted() as texts:
        link_learners(customer=customer, emails=emails(count), by=BY)

    assert len(texts) == 8
