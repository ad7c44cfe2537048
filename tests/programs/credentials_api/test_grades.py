"""Grades as the LMS tells of them, by a form as it does, or as JSON."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from programs.models import CourseGrade, CourseRun
from tests.programs.conftest import Announcement
from tests.programs.credentials_api.conftest import GRADES, RUN_KEY, Caller, allow, client_of, send
from tests.programs.factories import AT, GradeFactory, LearnerFactory

pytestmark = pytest.mark.django_db

GRADE = {
    "username": "ada",
    "course_run": RUN_KEY,
    "letter_grade": "A",
    "percent_grade": 0.9,
    "verified": True,
    "lms_last_updated_at": "2024-05-01T10:00:00Z",
}


def post(client: APIClient, body: Any) -> Any:
    return send(client, "POST", GRADES, body)


def post_form(client: APIClient, form: dict[str, Any]) -> Any:
    content = urlencode(form)
    return client.post(GRADES, content, content_type="application/x-www-form-urlencoded")


@pytest.fixture
def stored(lms: APIClient, run: CourseRun) -> CourseGrade:
    """The grade that the LMS told."""
    return CourseGrade.objects.get(pk=post(lms, GRADE).json()["id"])


def path_of(grade: CourseGrade) -> str:
    return f"{GRADES}{grade.pk}/"


def test_a_grade_is_stored(lms: APIClient, run: CourseRun, announced: list[Announcement]) -> None:
    answer = post(lms, GRADE)

    assert answer.status_code == 201
    grade = CourseGrade.objects.get()
    told = answer.json()
    assert list(told) == [
        *("id", "username", "course_run", "letter_grade", "percent_grade", "verified"),
        *("lms_last_updated_at", "created", "modified"),
    ]
    assert told.pop("created") == told.pop("modified")
    assert told == {**GRADE, "id": grade.pk, "percent_grade": "0.9000"}
    assert (grade.passed, grade.user.username) == (True, "ada")
    assert [name for name, _ in announced] == ["course_grade_changed"]


def test_the_lms_sends_a_form_and_no_letter_where_there_is_none(
    lms: APIClient, run: CourseRun
) -> None:
    form = {name: str(value) for name, value in GRADE.items() if name != "letter_grade"}

    answer = post_form(lms, form)

    assert answer.status_code == 201
    told = answer.json()
    assert (told["letter_grade"], told["percent_grade"]) == ("", "0.9000")
    assert (told["verified"], told["lms_last_updated_at"]) == (True, "2024-05-01T10:00:00Z")


@pytest.mark.parametrize(("said", "verified"), [("True", True), ("False", False), (None, True)])
def test_a_form_that_leaves_verified_out_does_not_deny_it(
    lms: APIClient, run: CourseRun, said: str | None, verified: bool
) -> None:
    form = {"username": "ada", "course_run": RUN_KEY, "percent_grade": "0.9"}

    told = post_form(lms, form if said is None else {**form, "verified": said}).json()

    assert told["verified"] is verified


def test_null_is_no_letter(lms: APIClient, run: CourseRun) -> None:
    assert post(lms, {**GRADE, "letter_grade": None}).json()["letter_grade"] == ""


def test_a_newer_grade_replaces_the_stored_one(lms: APIClient, stored: CourseGrade) -> None:
    newer = {**GRADE, "percent_grade": "0.4", "lms_last_updated_at": "2024-05-01T10:00:01Z"}

    answer = post(lms, newer)

    assert (answer.status_code, answer.json()["id"]) == (201, stored.pk)
    stored.refresh_from_db()
    assert (stored.percent_grade, stored.passed) == (Decimal("0.4"), False)


@pytest.mark.parametrize("updated_at", ["2024-05-01T09:59:59Z", None])
def test_an_older_grade_is_answered_with_the_stored_one(
    lms: APIClient, stored: CourseGrade, announced: list[Announcement], updated_at: str | None
) -> None:
    older = {**GRADE, "percent_grade": "0.4", "lms_last_updated_at": updated_at}

    answer = post(lms, older)

    assert answer.status_code == 201
    told = answer.json()
    assert (told["percent_grade"], told["lms_last_updated_at"]) == (
        "0.9000",
        "2024-05-01T10:00:00Z",
    )


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_grade_that_says_not_how_old_it_is_changes_none_that_does(
    lms: APIClient, stored: CourseGrade, method: str
) -> None:
    undated = {**GRADE, "percent_grade": "0.4"}
    del undated["lms_last_updated_at"]
    path = {"POST": GRADES, "PUT": path_of(stored)}[method]

    answer = send(lms, method, path, undated)

    assert (answer.status_code < 300, answer.json()["percent_grade"]) == (True, "0.9000")


@pytest.mark.parametrize("send_it", [post, post_form])
def test_an_unknown_run_is_refused(lms: APIClient, send_it: Any) -> None:
    answer = send_it(lms, {**GRADE, "course_run": "course-v1:X+Y+Z"})

    text = "No CourseRun exists for key [course-v1:X+Y+Z]"
    assert (answer.status_code, answer.json()) == (400, {"course_run": [text]})
    assert not User.objects.filter(username="ada").exists()


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"percent_grade": None}, "percent_grade"),
        ({"percent_grade": "1.0001"}, "percent_grade"),
        ({"percent_grade": "-0.1"}, "percent_grade"),
        ({"percent_grade": "NaN"}, "percent_grade"),
        ({"percent_grade": True}, "percent_grade"),
        ({"percent_grade": "x"}, "percent_grade"),
        ({"percent_grade": "0.12345"}, "percent_grade"),
        ({"verified": "perhaps"}, "verified"),
        ({"lms_last_updated_at": "yesterday"}, "lms_last_updated_at"),
        ({"letter_grade": "A\0"}, "letter_grade"),
        ({"letter_grade": "A" * 256}, "letter_grade"),
        ({"course_run": "\0"}, "course_run"),
        ({"username": "a b"}, "username"),
    ],
)
def test_refuses_what_is_not_valid(
    lms: APIClient, run: CourseRun, more: dict[str, Any], field: str
) -> None:
    answer = post(lms, {**GRADE, **more})

    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not CourseGrade.objects.exists()


@pytest.mark.parametrize("body", [[], "x", None])
def test_refuses_what_is_no_object(lms: APIClient, body: Any) -> None:
    assert post(lms, body).status_code == 400


def test_nothing_is_stored_of_who_left(lms: APIClient, ada: User, run: CourseRun) -> None:
    retire_user(user=ada, at=AT, actor=None, reason="Asked to leave.")

    answer = post(lms, {**GRADE, "username": f"retired__user_{ada.pk}"})

    assert (answer.status_code, list(answer.json())) == (400, ["username"])


def test_a_part_of_a_grade_is_changed(lms: APIClient, stored: CourseGrade) -> None:
    answer = send(lms, "PATCH", path_of(stored), {"letter_grade": "B", "username": "ADA"})

    assert answer.status_code == 200
    told = answer.json()
    assert (told["letter_grade"], told["percent_grade"], told["verified"]) == ("B", "0.9000", True)
    assert told["lms_last_updated_at"] == "2024-05-01T10:00:00Z"


def test_a_grade_is_told_again(lms: APIClient, stored: CourseGrade) -> None:
    again = {**GRADE, "percent_grade": "0.5", "lms_last_updated_at": "2024-05-02T10:00:00Z"}

    answer = send(lms, "PUT", path_of(stored), again)

    assert (answer.status_code, answer.json()["percent_grade"]) == (200, "0.5000")
    assert send(lms, "PUT", path_of(stored), {"letter_grade": "B"}).status_code == 400


def test_its_learner_and_its_run_stay(lms: APIClient, stored: CourseGrade) -> None:
    changed = {"username": "bob", "course_run": "course-v1:X+Y+Z", "percent_grade": "0.1"}

    answer = send(lms, "PATCH", path_of(stored), changed)

    fixed = ["This field cannot be changed."]
    assert (answer.status_code, answer.json()) == (400, {"username": fixed, "course_run": fixed})
    stored.refresh_from_db()
    assert stored.percent_grade == Decimal("0.9")


@pytest.mark.parametrize("grade_id", ["0", "7", "9" * 18, "9" * 19, "x"])
def test_an_unknown_grade_is_not_found(lms: APIClient, grade_id: str) -> None:
    assert send(lms, "PATCH", f"{GRADES}{grade_id}/", {}).status_code == 404


@pytest.mark.parametrize(
    ("name", "told", "changed"),
    [
        ("anonymous", 401, 401),
        ("ada", 403, 403),
        ("clerk", 403, 403),
        ("viewer", 403, 403),
        ("adder", 201, 403),
        ("changer", 403, 200),
        ("reading service", 403, 403),
        ("service", 201, 200),
    ],
)
def test_who_may_tell(
    as_caller: Caller, ada: User, run: CourseRun, name: str, told: int, changed: int
) -> None:
    grade = GradeFactory.create(user=ada, course_run=run)
    client = as_caller(name)

    assert post(client, GRADE).status_code == told
    assert send(client, "PATCH", path_of(grade), {"letter_grade": "B"}).status_code == changed
    assert send(client, "PUT", path_of(grade), GRADE).status_code == changed


def test_grades_are_told_and_not_read(lms: APIClient, stored: CourseGrade) -> None:
    assert [lms.get(path).status_code for path in (GRADES, path_of(stored))] == [405, 405]


def test_people_tell_ninety_times_a_minute_and_services_without_end(
    lms: APIClient, run: CourseRun
) -> None:
    person = LearnerFactory.create()
    GradeFactory.create(user=person, course_run=run)
    allow(person, "add")
    client = client_of(person)

    statuses = [post(client, {}).status_code for _ in range(91)]

    assert statuses == [400] * 90 + [429]
    assert {post(lms, {}).status_code for _ in range(91)} == {400}
