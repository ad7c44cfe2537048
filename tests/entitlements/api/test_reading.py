from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from entitlements.enums import SupportAction
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from entitlements.selectors.endings import having_ended
from programs.models import CourseRun
from tests.entitlements.api.conftest import (
    ENTITLEMENTS,
    NOW,
    UNKNOWN,
    Caller,
    client_of,
    key_of,
    path_of,
    sold,
)
from tests.entitlements.factories import DAY, PolicyFactory
from tests.programs.factories import LearnerFactory

KEYS = [
    *("user", "uuid", "course_uuid", "enrollment_course_run", "expired_at", "created", "modified"),
    *("mode", "refund_locked", "order_number", "support_details"),
    *("expires_at", "status", "regain_until", "refundable_until", "expired_reason"),
]


def listed(client: APIClient, query: str = "") -> set[str]:
    page = client.get(f"{ENTITLEMENTS}?{query}")
    assert page.status_code == 200, page.content
    return {one["uuid"] for one in page.json()["results"]}


def uuids(*entitlements: CourseEntitlement) -> set[str]:
    return {str(entitlement.uuid) for entitlement in entitlements}


# --- One ------------------------------------------------------------------------------------------


def test_tells_a_learner_of_their_own(ada: User, as_ada: APIClient) -> None:
    entitlement = sold(user=ada, redeemed=True, redeemed_at=NOW - DAY)

    told = as_ada.get(path_of(entitlement)).json()

    assert list(told) == KEYS
    assert told["user"] == "ada"
    assert told["enrollment_course_run"] == key_of(entitlement)
    assert (told["expired_at"], told["status"]) == (None, "redeemed")
    assert told["regain_until"] == told["expires_at"]
    assert told["regain_until"] == f"{NOW + 14 * DAY:%Y-%m-%dT%H:%M:%SZ}"


def test_one_that_is_not_used_has_no_run(ada: User, as_ada: APIClient) -> None:
    told = as_ada.get(path_of(sold(user=ada))).json()

    assert list(told) == [key for key in KEYS if key != "enrollment_course_run"]
    assert (told["status"], told["regain_until"]) == ("available", None)


def test_one_that_is_due_is_told_as_expired_and_nothing_is_written(
    ada: User, as_ada: APIClient
) -> None:
    entitlement = sold(731, user=ada)

    told = as_ada.get(path_of(entitlement)).json()

    ended_at = f"{entitlement.created + 730 * DAY:%Y-%m-%dT%H:%M:%SZ}"
    assert (told["expired_at"], told["expired_reason"]) == (ended_at, "period")
    assert told["status"] == "lapsed"
    entitlement.refresh_from_db()
    assert entitlement.expired_at is None
    assert entitlement.history.count() == 1


def test_tells_what_staff_did_the_newest_first(ada: User, desk: User, as_ada: APIClient) -> None:
    entitlement = sold(user=ada)
    for action, by in ((SupportAction.CREATE, None), (SupportAction.EXPIRE, desk)):
        CourseEntitlementSupportDetail.objects.create(
            entitlement=entitlement, support_user=by, action=action, comments="So they asked."
        )

    details = as_ada.get(path_of(entitlement)).json()["support_details"]

    assert [list(detail) for detail in details] == [
        ["support_user", "action", "comments", "unenrolled_run", "created"]
    ] * 2
    assert [(one["action"], one["support_user"]) for one in details] == [
        ("EXPIRE", "desk"),
        ("CREATE", None),
    ]
    assert details[0]["unenrolled_run"] is None


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        *(("anonymous", 401), ("ada", 200), ("bob", 404), ("clerk", 404), ("viewer", 200)),
        *(("desk", 200), ("service", 200), ("reading service", 200), ("idle service", 404)),
    ],
)
def test_who_may_read_one(caller: str, status: int, ada: User, as_caller: Caller) -> None:
    assert as_caller(caller).get(path_of(sold(user=ada))).status_code == status


@pytest.mark.parametrize("uuid", [str(UNKNOWN), "ABC", "00000000-0000-9000-8000-000000000000"])
def test_what_is_unknown_or_malformed_is_not_found(as_desk: APIClient, uuid: str) -> None:
    answer = as_desk.get(f"{ENTITLEMENTS}{uuid}/")

    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


def test_a_malformed_uuid_has_no_enrollments(as_desk: APIClient) -> None:
    assert as_desk.post(f"{ENTITLEMENTS}ABC/enrollments").status_code == 404


# --- Many -----------------------------------------------------------------------------------------


def test_a_learner_gets_their_own_whomever_they_name(ada: User, as_ada: APIClient) -> None:
    own, other = sold(user=ada), sold()

    assert listed(as_ada) == listed(as_ada, "user=ada") == listed(as_ada, "user=") == uuids(own)
    assert listed(as_ada, f"user={other.user.username}") == set()
    assert listed(as_ada, f"uuid={other.uuid}") == set()


@pytest.mark.parametrize("caller", ["desk", "viewer", "service"])
def test_staff_and_services_name_whose(caller: str, ada: User, as_caller: Caller) -> None:
    client = as_caller(caller)
    own = sold(user=User.objects.get(username="lms_worker" if caller == "service" else caller))
    hers = sold(user=ada)

    assert listed(client) == uuids(own)
    assert listed(client, "user=ada") == uuids(hers)
    assert listed(client, "user=") == uuids(own, hers)
    assert listed(client, "user=nobody") == set()


def test_filters_combine(ada: User, as_ada: APIClient) -> None:
    first, second, third = (sold(user=ada) for _ in range(3))
    ended = sold(user=ada, course_uuid=first.course_uuid, expired=True)

    two = f"course_uuid={first.course_uuid},{second.course_uuid}"

    assert listed(as_ada, two) == uuids(first, second, ended)
    assert listed(as_ada, f"{two}&expired_at__isnull=True") == uuids(first, second)
    assert listed(as_ada, f"{two}&expired_at__isnull=false") == uuids(ended)
    assert listed(as_ada, f"uuid={first.uuid},{third.uuid}") == uuids(first, third)


def test_the_filter_of_expired_ones_knows_those_that_are_due(ada: User, as_ada: APIClient) -> None:
    PolicyFactory.create(expiration_period=30 * DAY)
    fresh, due = sold(user=ada), sold(731, user=ada)
    extended = sold(731, user=ada, extended_until=NOW + DAY)
    extended_once = sold(731, user=ada, extended_until=NOW - DAY)
    used = sold(user=ada, redeemed=True, redeemed_at=NOW)
    spent = sold(30, user=ada, redeemed=True)

    assert listed(as_ada, "expired_at__isnull=True") == uuids(fresh, extended, used)
    assert listed(as_ada, "expired_at__isnull=False") == uuids(due, extended_once, spent)
    for entitlement in CourseEntitlement.objects.all():
        told = as_ada.get(path_of(entitlement)).json()
        one = CourseEntitlement.objects.filter(pk=entitlement.pk)
        has_ended = told["expired_at"] is not None
        assert having_ended(one, has_ended=has_ended, at=timezone.now()).exists()


def test_a_page_tells_where_it_stands(ada: User, as_ada: APIClient) -> None:
    for _ in range(3):
        sold(user=ada)

    page = as_ada.get(f"{ENTITLEMENTS}?page=2&page_size=2").json()

    assert list(page) == [
        *("next", "previous", "count", "num_pages", "current_page", "start", "results")
    ]
    assert (page["next"], page["previous"]) == (
        None,
        f"http://testserver{ENTITLEMENTS}?page_size=2",
    )
    assert (page["count"], page["num_pages"], page["current_page"], page["start"]) == (3, 2, 2, 2)
    assert len(page["results"]) == 1
    assert as_ada.get(f"{ENTITLEMENTS}?page=3&page_size=2").status_code == 404


def test_a_page_has_fifty_or_up_to_a_hundred(ada: User, as_ada: APIClient) -> None:
    CourseEntitlement.objects.bulk_create(
        CourseEntitlement(user=ada, course_uuid=UNKNOWN, mode="verified") for _ in range(101)
    )

    sizes = [
        len(as_ada.get(f"{ENTITLEMENTS}?{query}").json()["results"])
        for query in ("", "page_size=100", "page_size=1000")
    ]

    assert sizes == [50, 100, 100]


@pytest.mark.parametrize(
    "query",
    ["uuid=x", "course_uuid=1,2", "expired_at__isnull=maybe", "user=%00", "page_size=0"],
)
def test_what_is_not_understood_is_refused(as_desk: APIClient, query: str) -> None:
    answer = as_desk.get(f"{ENTITLEMENTS}?{query}")

    assert answer.status_code == 400
    assert list(answer.json()) == [query.partition("=")[0]]


def test_a_stranger_gets_no_list() -> None:
    assert APIClient().get(ENTITLEMENTS).status_code == 401


@pytest.mark.parametrize("many", [1, 50])
def test_a_list_takes_five_statements_whatever_the_rows(many: int, ada: User) -> None:
    told_at_length(ada, many)
    client = client_of(ada)

    assert statements_of(client, "") == 5


@pytest.mark.parametrize("many", [1, 50])
def test_a_list_for_staff_takes_no_more_once_they_are_known(
    many: int, ada: User, desk: User
) -> None:
    told_at_length(ada, many)
    client = APIClient()
    client.force_authenticate(desk)

    assert statements_of(client, "user=ada&expired_at__isnull=True") == 5


def told_at_length(learner: User, many: int) -> None:
    """So many entitlements that are used, each with a policy and a word of the staff."""
    policy = PolicyFactory.create()
    for _ in range(many):
        entitlement = sold(user=learner, redeemed=True, redeemed_at=NOW, policy=policy)
        CourseEntitlementSupportDetail.objects.create(
            entitlement=entitlement,
            support_user=LearnerFactory.create(),
            action=SupportAction.LEAVE,
            comments="So they asked.",
            unenrolled_run=CourseRun.objects.get(key=key_of(entitlement)),
        )


def statements_of(client: APIClient, query: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        answer: Any = client.get(f"{ENTITLEMENTS}?{query}")
    assert answer.status_code == 200
    assert answer.json()["count"] > 0
    return len(asked)
