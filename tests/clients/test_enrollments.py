import json

import pytest

from credentials_portal.clients import lms as clients
from credentials_portal.clients.http import Answer, Refused, Unavailable
from credentials_portal.clients.lms import Lms
from credentials_portal.devlms import StandInLms
from credentials_portal.devlms.enrollments import Enrolled
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

RUN, OTHER_RUN = "course-v1:NBx+DS1+2024", "course-v1:NBx+DS1+2025"


@pytest.fixture
def client(lms: StandInLms) -> Lms:
    client = clients.lms()
    assert client
    return client


def test_enrolls_in_a_mode(client: Lms, lms: StandInLms) -> None:
    result = client.enroll("ada", RUN, mode="verified")

    assert isinstance(result, Answer)
    assert (result.body["mode"], result.body["is_active"]) == ("verified", True)
    assert result.body["course_details"]["course_id"] == RUN
    assert lms.calls[-1].path == "/api/enrollment/v1/enrollment"
    assert lms.calls[-1].body == {
        "user": "ada",
        "course_details": {"course_id": RUN},
        "mode": "verified",
        "is_active": True,
    }


def test_enrolling_again_changes_nothing(client: Lms, lms: StandInLms) -> None:
    results = [client.enroll("ada", RUN, mode="verified") for _ in range(2)]

    assert results[0] == results[1]
    assert lms.enrollments == {("ada", RUN): Enrolled("verified", is_active=True)}


def test_enrolling_upgrades_and_takes_up_what_had_ended(client: Lms, lms: StandInLms) -> None:
    lms.enrollments["ada", RUN] = Enrolled("audit", is_active=False)

    client.enroll("ada", RUN, mode="verified")

    assert lms.active_mode("ada", RUN) == "verified"


def test_leaves_a_run_whatever_its_mode(client: Lms, lms: StandInLms) -> None:
    lms.enrollments["ada", RUN] = Enrolled("professional", is_active=True)

    results = [client.unenroll("ada", RUN) for _ in range(2)]

    assert all(isinstance(result, Answer) for result in results)
    assert lms.enrollments == {("ada", RUN): Enrolled("professional", is_active=False)}


def test_reads_an_enrollment_by_a_key_with_signs(client: Lms, lms: StandInLms) -> None:
    lms.enrollments["ada+1", RUN] = Enrolled("audit", is_active=False)

    result = client.enrollment("ada+1", RUN)

    assert isinstance(result, Answer)
    assert (result.body["user"], result.body["mode"]) == ("ada+1", "audit")
    assert result.body["is_active"] is False
    assert lms.calls[-1].path.endswith("/ada%2B1,course-v1%3ANBx%2BDS1%2B2024")


def test_no_enrollment_is_an_answer_without_a_body(client: Lms) -> None:
    assert client.enrollment("ada", RUN) == Answer(200)


def test_an_unknown_learner_or_run_is_refused(client: Lms, lms: StandInLms) -> None:
    lms.unknown_learners.add("bob")
    lms.unknown_runs.add(OTHER_RUN)

    assert client.enroll("bob", RUN, mode="verified") == Refused(406)
    assert client.enroll("ada", OTHER_RUN, mode="verified") == Refused(400)
    assert client.enroll("ada", "no key", mode="verified") == Refused(400)
    assert lms.enrollments == {}


def test_a_mode_that_is_not_to_be_had_is_refused(client: Lms, lms: StandInLms) -> None:
    lms.modes[RUN] = ("audit",)
    lms.expired_modes.add((OTHER_RUN, "verified"))

    assert client.enroll("ada", RUN, mode="verified") == Refused(400)
    assert client.enroll("ada", OTHER_RUN, mode="verified") == Refused(400)


def test_a_closed_run_takes_nobody_new(client: Lms, lms: StandInLms) -> None:
    lms.closed_runs |= {RUN, OTHER_RUN}
    lms.enrollments["ada", OTHER_RUN] = Enrolled("audit", is_active=True)

    assert client.enroll("ada", RUN, mode="verified") == Refused(400)
    assert isinstance(client.enroll("ada", OTHER_RUN, mode="verified"), Answer)


def test_an_answer_that_tells_of_no_enrollment_is_no_success(client: Lms, lms: StandInLms) -> None:
    lms.fail(200, path="/enrollment/")

    assert client.enroll("ada", RUN, mode="verified") == Unavailable("no_enrollment", 200)
    assert client.enrollment("ada", RUN) == Unavailable("no_enrollment", 200)


def test_a_lost_answer_leaves_an_enrollment_behind(client: Lms, lms: StandInLms) -> None:
    lms.fail(0, path="/enrollment/", after_work=True, times=1)

    assert client.enroll("ada", RUN, mode="verified") == Unavailable("lost.RemoteProtocolError")
    assert lms.active_mode("ada", RUN) == "verified"


# --- What only the stand-in is asked --------------------------------------------------------------


def ask(lms: StandInLms, method: str, path: str, **body: object) -> tuple[int, object]:
    lms.tokens.add("token")
    raw = json.dumps(body) if body else ""
    return lms.answer(method, path, raw, {"Authorization": "JWT token"})[:2]


def test_the_lms_does_not_deactivate_with_another_mode(lms: StandInLms) -> None:
    lms.enrollments["ada", RUN] = Enrolled("verified", is_active=True)

    status, answer = ask(
        lms,
        "POST",
        "/api/enrollment/v1/enrollment",
        user="ada",
        course_details={"course_id": RUN},
        mode="audit",
        is_active=False,
    )

    assert status == 400
    assert isinstance(answer, dict)
    assert "Won't deactivate" in answer["message"]
    assert lms.active_mode("ada", RUN) == "verified"


def test_the_lms_wants_a_course_and_a_true_boolean(lms: StandInLms) -> None:
    path = "/api/enrollment/v1/enrollment"
    course = {"course_id": RUN}

    assert ask(lms, "POST", path, user="ada")[0] == 400
    assert ask(lms, "POST", path, user="ada", course_details=course, is_active="no")[0] == 400


def test_the_lms_lists_enrollments_by_pages(lms: StandInLms) -> None:
    for username in ("ada", "bob", "cleo", "dora"):
        lms.enrollments[username, RUN] = Enrolled("audit", is_active=True)

    found, path = [], "/api/enrollment/v1/enrollments?username=ada,bob,dora"
    while path:
        status, page = ask(lms, "GET", path)
        assert status == 200
        assert isinstance(page, dict)
        found += [(one["user"], one["course_id"]) for one in page["results"]]
        path = (page["next"] or "").removeprefix(lms.url)

    assert found == [("ada", RUN), ("bob", RUN), ("dora", RUN)]


def test_the_lms_tells_of_a_run_and_its_modes(lms: StandInLms) -> None:
    lms.modes[RUN] = ("audit", "verified")
    lms.expired_modes.add((RUN, "verified"))
    path = f"/api/enrollment/v1/course/{RUN}"

    slugs = []
    for query in ("", "?include_expired=1"):
        _status, details = ask(lms, "GET", path + query)
        assert isinstance(details, dict)
        slugs.append([mode["slug"] for mode in details["course_modes"]])

    assert slugs == [["audit"], ["audit", "verified"]]
    assert ask(lms, "GET", "/api/enrollment/v1/course/none")[0] == 400
