from typing import Any

import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from credentials_portal.devlms import StandInLms
from credentials_portal.devorders import StandInOrders
from entitlements.enums import RedemptionStatus, RefundStatus
from entitlements.models import CourseEntitlement
from programs.models import CourseEnrollment, CourseRun
from tests.entitlements.api.conftest import (
    NOW,
    UNKNOWN,
    V1,
    Caller,
    path_of,
    run_of_course,
    send,
    sold,
)
from tests.entitlements.factories import DAY, OfferedRunFactory
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture
from tests.standins.orders import standing_in_orders  # noqa: F401 - a fixture

NO_ENTITLEMENT = "The Entitlement for this UUID does not exist or is Expired."
NOT_REFUNDED = {
    "message": "Entitlement revoke and refund failed due to refund internal process failure"
}


@pytest.fixture
def fresh(ada: User) -> CourseEntitlement:
    return sold(user=ada)


@pytest.fixture
def used(ada: User) -> CourseEntitlement:
    """One that is used since yesterday."""
    return sold(user=ada, redeemed=True, redeemed_at=NOW - DAY)


def enroll(client: APIClient, entitlement: CourseEntitlement, run_key: Any) -> Any:
    body = {} if run_key is ... else {"course_run_id": run_key}
    return send(client, "POST", path_of(entitlement, "enrollments"), body)


def leave(client: APIClient, entitlement: CourseEntitlement, query: str = "") -> Any:
    return client.delete(f"{path_of(entitlement, 'enrollments')}{query}")


def refund(client: APIClient, entitlement: CourseEntitlement) -> Any:
    return leave(client, entitlement, "?is_refund=true")


def run_of(entitlement: CourseEntitlement) -> CourseRun | None:
    entitlement.refresh_from_db()
    enrollment = entitlement.enrollment_course_run
    return enrollment.course_run if enrollment else None


# --- Choose and switch ----------------------------------------------------------------------------


def test_choosing_enrolls(as_ada: APIClient, fresh: CourseEntitlement) -> None:
    run = run_of_course(fresh)

    answer = enroll(as_ada, fresh, run.key)

    assert (answer.status_code, answer.json()) == (201, {"course_run_id": run.key})
    assert run_of(fresh) == run
    assert CourseEnrollment.objects.get().mode == "verified"


def test_the_same_run_again_changes_nothing(as_ada: APIClient, used: CourseEntitlement) -> None:
    run = run_of(used)
    assert run

    assert enroll(as_ada, used, run.key).status_code == 201
    assert not used.redemptions.exists()
    assert used.redeemed_at == NOW - DAY


def test_switching_takes_the_new_run_and_leaves_the_old(
    as_ada: APIClient, used: CourseEntitlement
) -> None:
    former, run = run_of(used), run_of_course(used)

    assert enroll(as_ada, used, run.key).status_code == 201
    assert run_of(used) == run
    assert not CourseEnrollment.objects.get(course_run=former).is_active


def test_a_refused_switch_leaves_the_session_as_it_is(
    as_ada: APIClient, used: CourseEntitlement, lms: StandInLms
) -> None:
    former, run = run_of(used), run_of_course(used)
    lms.closed_runs.add(run.key)

    answer = enroll(as_ada, used, run.key)

    assert answer.status_code == 400
    assert answer.json() == {
        "message": f"Course Entitlement Enroll for ada failed for course: {run.key},"
        f" mode: verified, and entitlement: {used.uuid}"
    }
    assert run_of(used) == former


def test_an_lms_that_does_not_answer_is_asked_once_more(
    as_ada: APIClient, fresh: CourseEntitlement, lms: StandInLms
) -> None:
    run = run_of_course(fresh)
    lms.fail(500, path="/enrollment/v1/")

    answers = [enroll(as_ada, fresh, run.key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0]["Retry-After"] == "2"
    assert fresh.redemptions.get().status == RedemptionStatus.PENDING
    assert run_of(fresh) is None


@pytest.mark.parametrize(
    ("run_key", "told"),
    [
        (..., "The Course Run ID was not provided."),
        ("", "The Course Run ID was not provided."),
        (None, "The Course Run ID was not provided."),
        (7, {"message": "Invalid 7"}),
        ("a\0", {"message": "Invalid 'a\\x00'"}),
        ("\ud800", {"message": "Invalid '\\ud800'"}),
        (
            "course-v1:A+B+C",
            {"message": "The Course Run ID is not a match for this Course Entitlement."},
        ),
    ],
)
def test_a_run_that_is_none_is_refused(
    as_ada: APIClient, fresh: CourseEntitlement, run_key: Any, told: Any
) -> None:
    answer = enroll(as_ada, fresh, run_key)

    assert (answer.status_code, answer.json()) == (400, told)
    assert run_of(fresh) is None


def test_a_run_of_another_course_is_no_match(as_ada: APIClient, fresh: CourseEntitlement) -> None:
    answer = enroll(as_ada, fresh, OfferedRunFactory.create().key)

    assert answer.json() == {
        "message": "The Course Run ID is not a match for this Course Entitlement."
    }


def test_a_run_that_takes_nobody_is_not_available(
    as_ada: APIClient, fresh: CourseEntitlement
) -> None:
    run = run_of_course(fresh, enrollment_end=NOW - DAY)

    answer = enroll(as_ada, fresh, run.key)

    assert answer.status_code == 400
    assert answer.json() == {
        "message": f"The User is unable to enroll in Course Run {run.key}, it is not available."
    }


@pytest.mark.parametrize("days_ago", [731, 10])
def test_one_that_ended_cannot_be_used_marked_or_not(
    as_ada: APIClient, ada: User, days_ago: int
) -> None:
    entitlement = sold(days_ago, user=ada, expired=days_ago == 10)

    answers = [
        enroll(as_ada, entitlement, run_of_course(entitlement).key),
        leave(as_ada, entitlement),
        refund(as_ada, entitlement),
    ]

    assert [(one.status_code, one.json()) for one in answers] == [(400, NO_ENTITLEMENT)] * 3


def test_an_unknown_one_is_told_like_anothers(as_ada: APIClient, ada: User) -> None:
    unknown = CourseEntitlement(uuid=UNKNOWN)

    answers = [enroll(as_ada, one, "course-v1:A+B+C") for one in (unknown, sold())]

    assert [(one.status_code, one.json()) for one in answers] == [(400, NO_ENTITLEMENT)] * 2


@pytest.mark.parametrize("caller", ["bob", "viewer", "desk", "service", "idle service"])
def test_nobody_else_chooses_leaves_or_is_refunded(
    caller: str, as_caller: Caller, used: CourseEntitlement
) -> None:
    client, run = as_caller(caller), run_of(used)

    answers = [
        enroll(client, used, run_of_course(used).key),
        leave(client, used),
        refund(client, used),
    ]

    assert [(one.status_code, one.json()) for one in answers] == [(400, NO_ENTITLEMENT)] * 3
    assert run_of(used) == run
    assert not used.refunds.exists()


def test_a_stranger_is_asked_who_they_are(used: CourseEntitlement) -> None:
    client = APIClient()

    answers = [enroll(client, used, "x"), leave(client, used), refund(client, used)]

    assert [answer.status_code for answer in answers] == [401] * 3


def test_the_path_of_enrollments_has_no_slash_at_its_end(
    as_ada: APIClient, used: CourseEntitlement
) -> None:
    assert as_ada.delete(path_of(used, "enrollments/")).status_code == 404


# --- Leave and refund -----------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?is_refund=false", "?is_refund=True", "?is_refund=1"])
def test_leaving_makes_it_available_again(
    as_ada: APIClient, used: CourseEntitlement, query: str
) -> None:
    answers = [leave(as_ada, used, query) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert run_of(used) is None
    assert used.expired_at is None
    assert not CourseEnrollment.objects.get().is_active


def test_a_refund_by_hand_ends_it_at_once(as_ada: APIClient, used: CourseEntitlement) -> None:
    assert refund(as_ada, used).status_code == 204

    assert run_of(used) is None
    assert used.expired_reason == "refund"
    assert used.refunds.get().status == RefundStatus.OPENED
    assert refund(as_ada, used).json() == NO_ENTITLEMENT


def test_a_refund_by_the_order_service_is_asked_for_once(
    as_ada: APIClient, used: CourseEntitlement, orders: StandInOrders
) -> None:
    answers = [refund(as_ada, used) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 400]
    assert list(orders.refunds) == [(used.order_number, str(used.uuid))]


def test_a_refused_refund_changes_nothing(
    as_ada: APIClient, used: CourseEntitlement, orders: StandInOrders
) -> None:
    run = run_of(used)
    orders.unknown_orders.add(str(used.order_number))

    answer = refund(as_ada, used)

    assert (answer.status_code, answer.json()) == (500, NOT_REFUNDED)
    assert run_of(used) == run
    assert used.expired_at is None
    assert used.refunds.get().status == RefundStatus.FAILED


def test_a_refund_without_an_answer_is_not_asked_for_again(
    as_ada: APIClient, used: CourseEntitlement, orders: StandInOrders
) -> None:
    orders.fail(0, path="refunds", after_work=True)

    answers = [refund(as_ada, used) for _ in range(2)]

    assert [(one.status_code, one.json()) for one in answers] == [(500, NOT_REFUNDED)] * 2
    assert len(orders.calls) == 1
    assert used.refunds.get().status == RefundStatus.PENDING
    assert enroll(as_ada, used, run_of_course(used).key).status_code == 400


@pytest.mark.parametrize("held", [{"refund_locked": True}, {"order_number": None}])
def test_what_is_not_refundable_stays(as_ada: APIClient, ada: User, held: dict[str, Any]) -> None:
    entitlement = sold(user=ada, redeemed=True, redeemed_at=NOW, **held)

    answer = refund(as_ada, entitlement)

    assert answer.status_code == 400
    assert answer.json() == {"message": "Entitlement refund failed, Entitlement is not refundable"}
    assert run_of(entitlement)
    assert not entitlement.refunds.exists()


# --- What an LMS asks and tells -------------------------------------------------------------------


def ask(client: APIClient, what: str, **body: Any) -> Any:
    return send(client, "POST", f"{V1}{what}/", {"user": "ada", **body})


def test_an_lms_uses_what_ends_first(as_desk: APIClient, ada: User) -> None:
    later = sold(5, user=ada)
    sooner = sold(10, user=ada, course_uuid=later.course_uuid)
    run = run_of_course(later)

    answers = [ask(as_desk, "redemptions", course_run_id=run.key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.json()["uuid"] for answer in answers] == [str(sooner.uuid)] * 2
    assert answers[0].json()["enrollment_course_run"] == run.key
    assert run_of(later) is None


@pytest.mark.parametrize("user", ["ada", "nobody"])
def test_an_lms_hears_that_there_is_nothing_to_use(
    as_desk: APIClient, ada: User, user: str
) -> None:
    run = OfferedRunFactory.create()

    answers = [
        ask(as_desk, "redemptions", user=user, course_run_id=key)
        for key in (run.key, "course-v1:A+B+C")
    ]

    assert [(one.status_code, one.content) for one in answers] == [(204, b"")] * 2


def test_an_unenrollment_elsewhere_releases_without_a_refund(
    as_desk: APIClient, used: CourseEntitlement
) -> None:
    run = run_of(used)
    assert run

    answers = [ask(as_desk, "unenrollments", course_run_id=run.key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert run_of(used) is None
    assert used.expired_at is None
    assert not used.refunds.exists()


def test_an_unenrollment_elsewhere_may_ask_for_the_refund(
    as_desk: APIClient, used: CourseEntitlement
) -> None:
    run = run_of(used)
    assert run

    answer = ask(as_desk, "unenrollments", course_run_id=run.key, skip_refund=False)

    assert answer.status_code == 204
    assert used.refunds.get().status == RefundStatus.OPENED
    assert run_of(used) is None
    assert used.expired_reason == "refund"


@pytest.mark.parametrize("user", ["ada", "nobody"])
def test_an_unenrollment_that_concerns_nobody_is_ignored(
    as_desk: APIClient, used: CourseEntitlement, user: str
) -> None:
    answer = ask(as_desk, "unenrollments", user=user, course_run_id="course-v1:A+B+C")

    assert answer.status_code == 204
    assert run_of(used)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"course_run_id": "x", "user": None}, ["user"]),
        ({"course_run_id": "\0"}, ["course_run_id"]),
        ({}, ["course_run_id"]),
        ({"course_run_id": "x", "skip_refund": "no"}, ["skip_refund"]),
    ],
)
def test_what_an_lms_says_must_be_valid(
    as_desk: APIClient, body: dict[str, Any], fields: list[str]
) -> None:
    answer = ask(as_desk, "unenrollments", **body)

    assert answer.status_code == 400
    assert list(answer.json()) == fields
