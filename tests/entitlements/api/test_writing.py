from typing import Any

import pytest
from django.conf import settings
from django.contrib.sites.models import Site
from django.utils import timezone
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from programs.models import CourseEnrollment
from tests.entitlements.api.conftest import (
    ENTITLEMENTS,
    NOW,
    UNKNOWN,
    Caller,
    key_of,
    path_of,
    run_of_course,
    send,
    sold,
)
from tests.entitlements.factories import DAY, EnrollmentFactory, PolicyFactory

ORDER = {
    "user": "ada",
    "course_uuid": str(UNKNOWN),
    "mode": "verified",
    "order_number": "EDX-1",
    "email_opt_in": False,
}
NOTE = {"action": "CREATE", "comments": "Lost in a migration."}


@pytest.fixture(autouse=True)
def _learner(ada: User) -> None:
    """There is somebody to sell to."""


def create(client: APIClient, **changed: Any) -> Any:
    wanted = {name: value for name, value in {**ORDER, **changed}.items() if value is not ...}
    return send(client, "POST", ENTITLEMENTS, wanted)


def change(client: APIClient, entitlement: CourseEntitlement, **wanted: Any) -> Any:
    return send(client, "PATCH", path_of(entitlement), wanted)


def reissue(entitlement: CourseEntitlement) -> dict[str, Any]:
    note = {"action": "REISSUE", "comments": "Cancelled.", "unenrolled_run": key_of(entitlement)}
    return {"expired_at": None, "support_details": [note]}


def assert_unchanged(entitlement: CourseEntitlement) -> None:
    was = {**vars(entitlement)}
    entitlement.refresh_from_db()
    columns = [field.attname for field in CourseEntitlement._meta.concrete_fields]
    assert {name: was[name] for name in columns} == {
        name: getattr(entitlement, name) for name in columns
    }
    assert not CourseEntitlementSupportDetail.objects.exists()
    assert not OutboxMessage.objects.exists()


# --- Create ---------------------------------------------------------------------------------------


def test_an_order_creates_an_entitlement(as_desk: APIClient) -> None:
    answer = create(as_desk)

    assert answer.status_code == 201
    entitlement = CourseEntitlement.objects.get()
    assert answer.json()["uuid"] == str(entitlement.uuid)
    assert (entitlement.user.username, entitlement.order_number) == ("ada", "EDX-1")
    assert not entitlement.refund_locked
    assert entitlement.history.get().cause == "api:create"


def test_the_same_order_again_is_the_same_entitlement(as_desk: APIClient) -> None:
    first = create(as_desk).json()

    again = create(as_desk)

    assert (again.status_code, again.json()) == (200, first)
    assert CourseEntitlement.objects.count() == 1


@pytest.mark.parametrize("changed", [{"user": "desk"}, {"mode": "professional"}])
def test_an_order_pays_for_one_learner_in_one_mode(
    as_desk: APIClient, changed: dict[str, str]
) -> None:
    create(as_desk)

    answer = create(as_desk, **changed)

    assert answer.status_code == 400
    assert answer.json() == {
        "non_field_errors": ["The fields course_uuid, order_number must make a unique set."]
    }
    assert CourseEntitlement.objects.count() == 1


@pytest.mark.parametrize("order_number", [None, ...])
def test_without_an_order_each_is_another_one(as_desk: APIClient, order_number: Any) -> None:
    answers = [create(as_desk, order_number=order_number) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert CourseEntitlement.objects.filter(order_number=None).count() == 2


def test_staff_say_why(as_desk: APIClient) -> None:
    told = create(
        as_desk, order_number=..., refund_locked=True, support_details=[NOTE], email_opt_in=...
    ).json()

    assert told["refund_locked"] is True
    assert [(one["support_user"], one["action"]) for one in told["support_details"]] == [
        ("desk", "CREATE")
    ]


def test_takes_up_the_one_enrollment_that_nobody_paid_for(as_desk: APIClient, ada: User) -> None:
    run = run_of_course(sold())
    EnrollmentFactory.create(user=ada, course_run=run, mode="audit")

    told = create(as_desk, course_uuid=str(run.course.uuid)).json()

    assert told["enrollment_course_run"] == run.key
    assert CourseEnrollment.objects.get().mode == "verified"


def test_the_policy_of_the_site_that_is_asked_applies(as_desk: APIClient) -> None:
    default = PolicyFactory.create(site_id=settings.SITE_ID)
    asked = PolicyFactory.create(site=Site.objects.create(domain="127.0.0.1", name="The shop"))

    create(as_desk)
    as_desk.credentials(HTTP_HOST="127.0.0.1:8000")
    create(as_desk, order_number="EDX-2")

    policies = CourseEntitlement.objects.order_by("pk").values_list("policy", flat=True)
    assert list(policies) == [default.pk, asked.pk]


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"user": "nobody"}, ["user"]),
        ({"user": "\0"}, ["user"]),
        ({"user": ["ada"]}, ["user"]),
        ({"user": ..., "course_uuid": ..., "mode": ...}, ["course_uuid", "mode", "user"]),
        ({"course_uuid": "x"}, ["course_uuid"]),
        ({"mode": "audit"}, ["mode"]),
        ({"mode": "\ud800"}, ["mode"]),
        ({"course_uuid": 7}, ["course_uuid"]),
        ({"order_number": ""}, ["order_number"]),
        ({"order_number": 7}, ["order_number"]),
        ({"expired_at": 7}, ["expired_at"]),
        ({"expired_at": "2026-01-01"}, ["expired_at"]),
        ({"order_number": "9" * 129}, ["order_number"]),
        ({"order_number": "\ud800"}, ["order_number"]),
        ({"expired_at": "yesterday"}, ["expired_at"]),
        ({"refund_locked": "maybe"}, ["refund_locked"]),
        ({"support_details": [{"action": "CREATE", "comments": " "}]}, ["support_details"]),
        ({"support_details": [{"action": "GIVE", "comments": "So."}]}, ["support_details"]),
        ({"support_details": ["CREATE"]}, ["support_details"]),
        ({"support_details": [{**NOTE, "support_user": "desk"}]}, ["support_details"]),
        ({"support_details": [{**NOTE, "\ud800": 7}]}, ["support_details"]),
    ],
)
def test_what_is_not_valid_is_named(
    as_desk: APIClient, changed: dict[str, Any], fields: list[str]
) -> None:
    answer = create(as_desk, **changed)

    assert answer.status_code == 400
    assert sorted(answer.json()) == fields
    assert not CourseEntitlement.objects.exists()


def test_an_empty_order_number_is_refused_as_it_was(as_desk: APIClient) -> None:
    answer = create(as_desk, order_number="")

    assert answer.json() == {"order_number": ["This field may not be blank."]}


@pytest.mark.parametrize("body", ["[]", "1", '"text"', "{", ""])
def test_a_body_that_is_no_object_is_refused(as_desk: APIClient, body: str) -> None:
    answer = as_desk.generic("POST", ENTITLEMENTS, body, content_type="application/json")

    assert answer.status_code == 400


def test_a_form_is_refused(as_desk: APIClient) -> None:
    entitlement = sold()

    answers = [
        as_desk.post(ENTITLEMENTS, ORDER),
        as_desk.patch(path_of(entitlement), {"refund_locked": "true"}),
    ]

    assert [answer.status_code for answer in answers] == [415, 415]
    assert CourseEntitlement.objects.count() == 1


def test_comments_about_an_unknown_run_create_nothing(as_desk: APIClient) -> None:
    answer = create(as_desk, support_details=[{**NOTE, "unenrolled_run": "course-v1:A+B+C"}])

    assert answer.status_code == 404
    assert not CourseEntitlement.objects.exists()


# --- Change ---------------------------------------------------------------------------------------


def test_reissues_one_that_ended_and_takes_it_from_its_run(as_desk: APIClient) -> None:
    entitlement = sold(100, redeemed=True, expired=True)

    told = change(as_desk, entitlement, **reissue(entitlement)).json()

    assert (told["expired_at"], told["status"]) == (None, "available")
    assert "enrollment_course_run" not in told
    assert told["refund_locked"] is True
    assert told["support_details"][0]["unenrolled_run"] == key_of(entitlement)
    assert OutboxMessage.objects.filter(kind="entitlements.unenroll").count() == 1


def test_one_that_was_refundable_stays_so_when_reissued(as_desk: APIClient) -> None:
    entitlement = sold(redeemed=True, redeemed_at=NOW)

    told = change(as_desk, entitlement, **reissue(entitlement)).json()

    assert told["refund_locked"] is False
    assert told["refundable_until"] is not None


def test_expires_one_as_the_support_tool_asks_for(as_desk: APIClient) -> None:
    entitlement = sold(redeemed=True, redeemed_at=NOW)
    note = {"action": "EXPIRE", "comments": "Asked for.", "unenrolled_run": key_of(entitlement)}
    moment = timezone.now()

    told = change(
        as_desk, entitlement, expired_at=moment.isoformat(), support_details=[note]
    ).json()

    assert told["expired_at"] == f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    assert told["expired_reason"] == "support"
    assert told["support_details"][0]["action"] == "EXPIRE"


def test_what_was_sold_cannot_be_changed(as_desk: APIClient) -> None:
    entitlement = sold()
    same = as_desk.get(path_of(entitlement)).json()
    other = {"user": "ada", "course_uuid": str(UNKNOWN), "mode": "professional"}

    refused = change(as_desk, entitlement, **other, order_number=None)

    assert refused.status_code == 400
    assert sorted(refused.json()) == ["course_uuid", "mode", "order_number", "user"]
    assert_unchanged(entitlement)
    assert change(as_desk, entitlement, **{name: same[name] for name in other}).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    [
        {"support_details": [{**NOTE, "reason": "OTHER"}]},
        {"support_details": [{"action": "REISSUE", "comments": ""}]},
        {"support_details": {"action": "REISSUE"}},
        {"expired_at": "soon"},
        {"expired_at": "2020-01-01T00:00:00Z"},
        {"refund_locked": None},
        {"refund_locked": True},
    ],
)
def test_a_change_that_is_not_valid_changes_nothing(
    as_desk: APIClient, wanted: dict[str, Any]
) -> None:
    entitlement = sold()

    answer = change(as_desk, entitlement, **wanted)

    assert answer.status_code == 400
    assert_unchanged(entitlement)


@pytest.mark.parametrize("key", ["course-v1:A+B+C", "no key"])
def test_a_run_that_it_is_not_used_for_is_told_as_a_text(as_desk: APIClient, key: str) -> None:
    entitlement = sold(redeemed=True, redeemed_at=NOW)
    wanted = reissue(entitlement)
    wanted["support_details"][0]["unenrolled_run"] = key

    answer = change(as_desk, entitlement, **wanted)

    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain")
    assert answer.content.decode().startswith(
        f"Error raised while trying to unenroll user {entitlement.user} from course run {key}: "
    )
    assert_unchanged(entitlement)


def test_an_unknown_entitlement_is_told_as_a_text(as_desk: APIClient) -> None:
    answer = as_desk.patch(f"{ENTITLEMENTS}{UNKNOWN}/", {}, format="json")

    assert answer.status_code == 400
    assert answer.content.decode() == f"Could not find entitlement {UNKNOWN} to update"


def test_nothing_is_put(as_desk: APIClient) -> None:
    assert as_desk.put(path_of(sold()), ORDER, format="json").status_code == 405


# --- Revoke ---------------------------------------------------------------------------------------


def test_revokes_once_and_leaves_the_row(as_desk: APIClient) -> None:
    entitlement = sold(redeemed=True, redeemed_at=NOW)

    answers = [as_desk.delete(path_of(entitlement)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert [answer.content for answer in answers] == [b"", b""]
    entitlement.refresh_from_db()
    assert (entitlement.expired_reason, entitlement.enrollment_course_run) == ("revoke", None)
    assert not entitlement.refunds.exists()
    assert OutboxMessage.objects.filter(kind="entitlements.unenroll").count() == 1


def test_an_unknown_one_is_not_revoked(as_desk: APIClient) -> None:
    assert as_desk.delete(f"{ENTITLEMENTS}{UNKNOWN}/").status_code == 404


# --- Who may --------------------------------------------------------------------------------------

CALLERS = [
    *(("anonymous", 401), ("ada", 403), ("bob", 403), ("clerk", 403), ("viewer", 403)),
    *(("idle service", 403), ("reading service", 403)),
]


@pytest.mark.parametrize(("caller", "status"), CALLERS)
def test_who_may_not_write(caller: str, status: int, as_caller: Caller, ada: User) -> None:
    entitlement = sold(user=ada, redeemed=True, redeemed_at=NOW - DAY)
    run_of_ada = {"user": "ada", "course_run_id": key_of(entitlement)}
    client = as_caller(caller)

    answers = [
        create(client),
        change(client, entitlement, **reissue(entitlement)),
        client.delete(path_of(entitlement)),
        client.post("/api/entitlements/v1/redemptions/", run_of_ada, format="json"),
        client.post("/api/entitlements/v1/unenrollments/", run_of_ada, format="json"),
    ]

    assert [answer.status_code for answer in answers] == [status] * 5
    assert_unchanged(entitlement)
    assert CourseEntitlement.objects.count() == 1


@pytest.mark.parametrize("caller", ["desk", "service"])
def test_who_may_write(caller: str, as_caller: Caller) -> None:
    client, entitlement = as_caller(caller), sold()
    note = {"action": "EXPIRE", "comments": "Asked for."}

    answers = [
        create(client),
        change(client, entitlement, support_details=[note]),
        client.delete(path_of(entitlement)),
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 204]
