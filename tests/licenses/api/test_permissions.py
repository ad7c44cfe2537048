"""Each resource, for everybody who might ask."""

from uuid import uuid4

import pytest

from licenses.models import License, SubscriptionPlan
from tests.letters.factories import rows
from tests.licenses.api.conftest import V1, Caller, licenses_of

CALLERS = (
    *("anonymous", "nobody", "learner", "foreign learner", "foreign admin", "former admin"),
    *("admin", "viewer", "manager", "desk", "superuser"),
    *("service", "reading service", "idle service"),
)
SEEING = "admin, viewer, manager, desk, superuser, service, reading service"
ACTING = "admin, desk, superuser, service"


def matrix(others: int, **expected: str) -> list[tuple[str, int]]:
    """Status by caller: `s200="admin, viewer"` and so on, `others` for the rest."""
    named = {
        name: int(status.removeprefix("s"))
        for status, names in expected.items()
        for name in names.split(", ")
    }
    return [(caller, named.get(caller, others)) for caller in CALLERS]


TABLES = (
    *("licenses_license", "licenses_historicallicense", "licenses_customerlearner"),
    "core_outboxmessage",
)


@pytest.mark.parametrize(
    ("caller", "status"),
    matrix(403, s401="anonymous", s200=f"learner, foreign learner, foreign admin, {SEEING}"),
)
@pytest.mark.parametrize("resource", ["learner-licenses", "customer-agreement"])
def test_who_lists_what_learners_see(
    as_caller: Caller, plan: SubscriptionPlan, resource: str, caller: str, status: int
) -> None:
    customer_uuid = plan.customer_agreement.customer.uuid
    query = {"enterprise_customer_uuid": str(customer_uuid)}

    assert as_caller(caller).get(f"{V1}{resource}/", query).status_code == status


@pytest.mark.parametrize(
    ("caller", "status"), matrix(404, s401="anonymous", s200=f"learner, {SEEING}")
)
def test_who_sees_an_agreement(
    as_caller: Caller, plan: SubscriptionPlan, caller: str, status: int
) -> None:
    path = f"{V1}customer-agreement/{plan.customer_agreement.uuid}/"

    assert as_caller(caller).get(path).status_code == status


@pytest.mark.parametrize(
    ("caller", "status"), matrix(403, s401="anonymous", s200=f"learner, {SEEING}")
)
@pytest.mark.parametrize("path", ["learner-subscriptions/{}/", "subscriptions/{}/license/"])
def test_who_sees_what_a_plan_tells_learners(
    as_caller: Caller, plan: SubscriptionPlan, path: str, caller: str, status: int
) -> None:
    assert as_caller(caller).get(V1 + path.format(plan.uuid)).status_code == status


@pytest.mark.parametrize(
    ("caller", "status"), matrix(403, s401="anonymous", s200=f"foreign admin, {SEEING}")
)
def test_who_lists_plans(
    as_caller: Caller, plan: SubscriptionPlan, caller: str, status: int
) -> None:
    response = as_caller(caller).get(f"{V1}subscriptions/")

    assert response.status_code == status
    if status == 200:
        told = [each["uuid"] for each in response.json()["results"]]
        assert told == ([] if caller == "foreign admin" else [str(plan.uuid)])


@pytest.mark.parametrize(("caller", "status"), matrix(403, s401="anonymous", s200=SEEING))
@pytest.mark.parametrize(
    "resource", ["", "licenses/", "licenses/{license}/", "licenses/overview/", "licenses/csv/"]
)
def test_who_sees_a_plan_and_its_licenses(
    as_caller: Caller, plan: SubscriptionPlan, resource: str, caller: str, status: int
) -> None:
    license = License.objects.filter(subscription_plan=plan).latest("pk")
    path = f"{V1}subscriptions/{plan.uuid}/{resource.format(license=license.uuid)}"

    assert as_caller(caller).get(path).status_code == status


@pytest.mark.parametrize(
    ("act", "done"),
    [
        ("assign/", 200),
        ("remind/", 204),
        ("remind-all/", 204),
        ("bulk-revoke/", 200),
        ("revoke-all/", 204),
    ],
)
@pytest.mark.parametrize("caller", CALLERS)
def test_who_acts_on_licenses(
    as_caller: Caller, plan: SubscriptionPlan, assigned: License, act: str, done: int, caller: str
) -> None:
    status = dict(matrix(403, s401="anonymous", **{f"s{done}": ACTING}))[caller]
    client = as_caller(caller)
    before = rows(*TABLES)
    emails = ["bob@example.com"] if act == "assign/" else [assigned.user_email]
    body = {"user_emails": emails} if act not in ("remind-all/", "revoke-all/") else {}

    response = client.post(licenses_of(plan, act), body, format="json")

    assert response.status_code == status, response.content
    assert (rows(*TABLES) == before) == (status != done)


@pytest.mark.parametrize(
    ("method", "resource", "status"),
    [
        ("get", "", 403),
        ("get", "license/", 403),
        ("get", "licenses/", 403),
        ("get", "licenses/overview/", 403),
        ("get", "licenses/csv/", 403),
        ("post", "licenses/assign/", 403),
        ("post", "licenses/remind-all/", 403),
        ("post", "licenses/remind/", 404),
        ("post", "licenses/bulk-revoke/", 404),
        ("post", "licenses/revoke-all/", 404),
    ],
)
def test_an_unknown_plan_is_forbidden_like_a_foreign_one(
    as_caller: Caller, method: str, resource: str, status: int
) -> None:
    path = f"{V1}subscriptions/{uuid4()}/{resource}"

    # Who may act for every customer is told what the old service told its operators.
    by_admin = getattr(as_caller("admin"), method)(path)
    by_desk = getattr(as_caller("desk"), method)(path)

    assert by_admin.status_code == 403
    assert by_admin.json() == {"detail": "You do not have permission to perform this action."}
    assert by_desk.status_code == status


@pytest.mark.parametrize(
    ("caller", "status"),
    matrix(
        403,
        s401="anonymous",
        s200="viewer, desk, superuser, service",
    ),
)
def test_who_looks_an_address_up(
    as_caller: Caller, assigned: License, caller: str, status: int
) -> None:
    body = {"user_email": assigned.user_email}

    response = as_caller(caller).post(f"{V1}staff_lookup_licenses/", body, format="json")

    assert response.status_code == status


@pytest.mark.parametrize(
    ("caller", "status"), matrix(403, s401="anonymous", s204="desk, superuser, service")
)
def test_who_retires_people(as_caller: Caller, assigned: License, caller: str, status: int) -> None:
    client = as_caller(caller)
    body = {"lms_user_id": 77, "original_username": "ada"}

    response = client.post(f"{V1}retire_user/", body, format="json")

    assigned.refresh_from_db()
    assert response.status_code == status
    assert (assigned.user_email == "") == (status == 204)


def test_a_session_needs_the_csrf_token_to_act(as_caller: Caller, plan: SubscriptionPlan) -> None:
    client = as_caller("admin")
    client.handler.enforce_csrf_checks = True

    response = client.post(
        licenses_of(plan, "assign/"), {"user_emails": ["bob@example.com"]}, format="json"
    )

    assert response.status_code == 403
    assert not License.objects.live().exists()
