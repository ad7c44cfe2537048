"""Activating a license by its link: what each reader is told, and what a click changes."""

from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client

from licenses.enums import LicenseStatus
from licenses.models import License
from licenses.services import revoke_licenses
from tests.licenses.factories import DAY, by_at
from tests.licenses.pages.now import NOW, give, learner, plan_now, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


def link(license: License) -> str:
    return f"/licenses/{license.activation_key}/activate/"


def status_of(license: License) -> str:
    return License.objects.get(pk=license.pk).status


def test_asks_strangers_to_sign_in_and_changes_nothing(client: Client) -> None:
    [license] = give(plan_now(1), learner())

    response = client.post(link(license))

    assert response["Location"] == f"/accounts/login/?next={link(license)}"
    assert status_of(license) == LicenseStatus.ASSIGNED


def test_shows_first_what_will_happen() -> None:
    ada = learner(full_name="Ada Lovelace")
    [license] = give(plan_now(1, title="Gold", customer_agreement__customer__name="Acme"), ada)

    response = signed_in(ada).get(link(license))

    assert response.status_code == 200
    page = words(response)
    assert "Activate your license of “ Gold ”" in page
    assert "Given to you by Acme" in page
    assert "Ada Lovelace , and you can take the courses" in page
    assert "What happens when the plan ends" in page
    assert status_of(license) == LicenseStatus.ASSIGNED


def test_activates_when_the_button_is_pressed() -> None:
    ada = learner()
    [license] = give(plan_now(1, title="Gold"), ada)

    response = signed_in(ada).post(link(license), follow=True)

    assert response.redirect_chain == [("/access/", 302)]
    assert "Your license of “Gold” is active." in words(response)
    license.refresh_from_db()
    assert (license.status, license.lms_user_id) == (LicenseStatus.ACTIVATED, ada.lms_user_id)
    newest = license.history.latest("history_id")
    assert (newest.history_user, newest.cause) == (ada, "activation page")


def test_a_second_press_changes_nothing() -> None:
    ada = learner()
    [license] = give(plan_now(1), ada)
    browser = signed_in(ada)
    browser.post(link(license))
    changes = license.history.count()

    response = browser.post(link(license), follow=True)

    assert response.redirect_chain == [("/access/", 302)]
    assert license.history.count() == changes
    assert "Your license is active already" in words(browser.get(link(license)))


@pytest.mark.parametrize("is_known", [True, False])
def test_anothers_link_and_an_unknown_one_look_alike(is_known: bool) -> None:
    [license] = give(plan_now(1, title="Gold"), learner())
    eve = learner(email="eve@example.com", full_name="Eve")
    address = link(license) if is_known else f"/licenses/{uuid4()}/activate/"

    for response in (signed_in(eve).get(address), signed_in(eve).post(address)):
        page = words(response)
        assert response.status_code == 404
        assert "This link opens no license of yours" in page
        assert "You are signed in as Eve (eve@example.com)." in page
        assert "Gold" not in page
    assert status_of(license) == LicenseStatus.ASSIGNED


def test_a_revoked_license_is_gone() -> None:
    ada, plan = learner(), plan_now(1)
    [license] = give(plan, ada)
    revoke_licenses(plan_uuid=plan.uuid, emails=[ada.email], by=by_at(NOW))

    for response in (signed_in(ada).get(link(license)), signed_in(ada).post(link(license))):
        assert response.status_code == 410
        assert "This license was withdrawn" in words(response)


def test_an_ended_plan_is_gone() -> None:
    ada = learner()
    [license] = give(plan_now(1, days_left=-2), ada, ago=50 * DAY)

    for response in (signed_in(ada).get(link(license)), signed_in(ada).post(link(license))):
        assert response.status_code == 410
        assert "The plan of this license has ended" in words(response)
    assert status_of(license) == LicenseStatus.ASSIGNED


def test_a_plan_that_is_switched_off_cannot_be_used() -> None:
    ada = learner()
    [license] = give(plan_now(1, is_active=False), ada)

    for response in (signed_in(ada).get(link(license)), signed_in(ada).post(link(license))):
        assert response.status_code == 409
        assert "This license cannot be used at the moment" in words(response)
    assert status_of(license) == LicenseStatus.ASSIGNED


def test_a_plan_that_starts_later_says_when() -> None:
    ada = learner()
    [license] = give(plan_now(1, start_date=NOW + DAY), ada)

    response = signed_in(ada).get(link(license))

    assert response.status_code == 200
    assert "Your license starts later" in words(response)
    signed_in(ada).post(link(license))
    assert status_of(license) == LicenseStatus.ASSIGNED


def test_is_kept_by_nobody() -> None:
    ada = learner()
    [license] = give(plan_now(1), ada)

    response = signed_in(ada).get(link(license))

    assert "no-store" in response["Cache-Control"]
    assert '<meta name="robots" content="noindex">' in response.content.decode()
