"""Sessions that are chosen by a form, which is what the learner dashboard sends."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from entitlements.models import CourseEntitlement
from tests.entitlements.api.conftest import path_of, run_of_course, sold

NO_RUN = "The Course Run ID was not provided."
NO_MATCH = {"message": "The Course Run ID is not a match for this Course Entitlement."}


@pytest.fixture
def fresh(ada: User) -> CourseEntitlement:
    return sold(user=ada)


def enroll(client: APIClient, entitlement: CourseEntitlement, form: str) -> Any:
    path = path_of(entitlement, "enrollments")
    return client.post(path, form, content_type="application/x-www-form-urlencoded")


def test_a_form_chooses_the_session(as_ada: APIClient, fresh: CourseEntitlement) -> None:
    run = run_of_course(fresh)

    answer = enroll(as_ada, fresh, f"course_run_id={run.key.replace('+', '%2B')}")

    assert (answer.status_code, answer.json()) == (201, {"course_run_id": run.key})
    assert fresh.redemptions.get().course_run == run


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("", NO_RUN),
        ("course_run_id=", NO_RUN),
        ("course_run_id=a%00", {"message": "Invalid 'a\\x00'"}),
        ("course_run_id=%ff&%00=%zz", NO_MATCH),
        ("&".join(["a=1"] * 1001), {"detail": "The request cannot be read."}),
    ],
)
def test_a_form_that_names_no_run_is_refused(
    as_ada: APIClient, fresh: CourseEntitlement, form: str, told: Any
) -> None:
    answer = enroll(as_ada, fresh, form)

    assert (answer.status_code, answer.json()) == (400, told)
    assert not fresh.redemptions.exists()
