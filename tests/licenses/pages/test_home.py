"""What the home says of licenses, and to whom."""

import pytest

from tests.licenses.pages.now import (
    administrator_of,
    give,
    learner,
    plan_now,
    signed_in,
    staff,
    take,
    words,
)

pytestmark = pytest.mark.django_db


def test_a_license_to_activate_waits() -> None:
    ada = learner()
    plan = plan_now(1, title="Gold", customer_agreement__customer__name="Acme")
    [license] = give(plan, ada)

    response = signed_in(ada).get("/")

    assert "Acme has given you a license of “ Gold ”. Activate it" in words(response)
    assert f'href="/licenses/{license.activation_key}/activate/"' in response.content.decode()
    assert "Nothing needs you now." not in words(response)


@pytest.mark.parametrize(
    ("days_left", "told"),
    [(12, "Your access to “ Gold ” ends in 12 days."), (90, "Nothing needs you now.")],
)
def test_access_that_ends_soon_is_told(days_left: int, told: str) -> None:
    ada = learner()
    take(plan_now(1, title="Gold", days_left=days_left), ada)

    assert told in words(signed_in(ada).get("/"))


def test_whoever_looks_after_a_customer_gets_there() -> None:
    customer = plan_now(customer_agreement__customer__name="Acme").customer_agreement.customer

    page = signed_in(administrator_of(customer)).get("/").content.decode()

    assert f'<a href="/customers/{customer.slug}/"><bdi>Acme</bdi></a>' in page


def test_staff_are_not_shown_every_customer() -> None:
    plan_now(customer_agreement__customer__name="Acme")

    assert "Acme" not in words(signed_in(staff("manage_any_customer")).get("/"))
