"""One letter: what its checks say now, and all that happened to it."""

from rest_framework.test import APIClient

from letters import services
from letters.models import LetterRevalidation, ProgramLetter
from programs.models import CourseRun
from tests.letters.api.conftest import Caller, path_of
from tests.letters.conftest import Statements
from tests.letters.factories import DAY, by_at, grade
from tests.programs.factories import AT


def test_tells_the_checks_with_their_evidence(registrar: APIClient, letter: ProgramLetter) -> None:
    run = CourseRun.objects.get()

    judgement = registrar.get(path_of(letter)).json()["judgement"]

    checks = {check["code"]: check for check in judgement["checks"]}
    assert judgement["verdict"] == "valid"
    assert checks["requirements_defined"] == {
        "code": "requirements_defined",
        "status": "pass",
        "failure_in_words": "",
        "evidence": [],
    }
    assert checks[f"core_course:{run.course.key}"] == {
        "code": f"core_course:{run.course.key}",
        "status": "pass",
        "failure_in_words": "",
        "evidence": [
            {
                "course": run.course.key,
                "run": run.key,
                "source": "grade",
                "earned_at": "2024-05-15T00:00:00Z",
            }
        ],
    }


def test_judges_now_whatever_the_state(registrar: APIClient, letter: ProgramLetter) -> None:
    run = CourseRun.objects.get()
    grade(run, letter.user, percent="0.1", at=AT + DAY)

    told = registrar.get(path_of(letter)).json()

    failed = [check for check in told["judgement"]["checks"] if check["status"] == "fail"]
    assert told["state"] == "active"
    assert told["judgement"]["verdict"] == "invalid"
    assert [check["failure_in_words"] for check in failed] == [
        f"the core course {run.course.key} is not passed"
    ]


def test_tells_all_that_happened(registrar: APIClient, letter: ProgramLetter) -> None:
    services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT + DAY, reason="Copied."))

    events = registrar.get(path_of(letter)).json()["events"]

    assert [event["letter_version"] for event in events] == list(range(1, len(events) + 1))
    assert [event["action"] for event in events] == ["held", "released", "revoked"]
    assert events[-1] == {
        "letter_version": len(events),
        "at": "2025-06-02T12:00:00Z",
        "action": "revoked",
        "from_state": "active",
        "to_state": "revoked",
        "reason": "revoked",
        "failed_checks": [],
        "automatic": False,
        "actor": None,
        "cause": "test",
        "run": None,
        "note": "Copied.",
    }
    assert events[0]["from_state"] == ""
    assert letter.issue_run is not None
    assert events[0]["run"] == str(letter.issue_run.uuid)


def test_costs_as_many_statements_however_much_happened(
    registrar: APIClient, letter: ProgramLetter, statements: Statements
) -> None:
    with statements.counted() as for_few:
        registrar.get(path_of(letter))
    for_few = list(for_few)
    for day in range(1, 11):
        services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT + day * DAY, reason="No."))
        services.reinstate_letter(letter_uuid=letter.uuid, by=by_at(AT + day * DAY, reason="Yes."))

    with statements.counted() as for_many:
        told = registrar.get(path_of(letter)).json()

    assert len(told["events"]) == 22
    assert len(for_few) == len(for_many)


def test_a_holder_is_told_the_letter_without_what_is_behind_it(
    as_caller: Caller, letter: ProgramLetter
) -> None:
    told = as_caller("holder").get(path_of(letter)).json()

    assert told["uuid"] == str(letter.uuid)
    assert told["verification_url"].endswith(f"/letter/program/{letter.uuid}/verify/")
    assert not {"judgement", "events"} & set(told)


def test_looking_changes_nothing(registrar: APIClient, letter: ProgramLetter) -> None:
    LetterRevalidation.objects.all().delete()

    registrar.get(path_of(letter))

    letter.refresh_from_db()
    assert letter.events.count() == letter.version
    assert not LetterRevalidation.objects.exists()
