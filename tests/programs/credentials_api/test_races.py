"""Two and more requests at once about somebody whom nobody knows yet."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from programs.models import CourseCertificate, CourseGrade, CourseRun, Program, ProgramCertificate
from tests.core.outbox.test_races import at_once
from tests.programs.credentials_api.conftest import CREDENTIALS, GRADES, RUN_KEY, send

pytestmark = pytest.mark.django_db(transaction=True)


def test_there_is_one_account_and_one_of_each(
    lms: APIClient, program: Program, run: CourseRun
) -> None:
    who = {"username": "newbie", "lms_user_id": 17}
    told: list[tuple[str, Any]] = [
        (CREDENTIALS, {**who, "credential": {"program_uuid": str(program.uuid)}}),
        (CREDENTIALS, {**who, "credential": {"course_run_key": RUN_KEY, "mode": "verified"}}),
        (GRADES, {"username": "newbie", "course_run": RUN_KEY, "percent_grade": 0.9}),
    ]

    statuses = at_once(
        *[
            lambda path=path, body=body: send(lms, "POST", path, body).status_code
            for path, body in told * 3
        ]
    )

    assert statuses == [201] * 9
    newbie = User.objects.get(username="newbie")
    assert newbie.lms_user_id == 17
    for model in (ProgramCertificate, CourseCertificate, CourseGrade):
        assert model.objects.get().user == newbie
