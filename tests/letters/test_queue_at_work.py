"""The queue at work, through the interfaces that people and machines use.

Staff correct something in the admin; the command, or the task of the schedule, looks at the
letters; what became of a letter, and why, stands on its page. The admin's clock is the real one:
a day passes by letting the queue be a day older.
"""

import time
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings as portal_settings
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from pytest_django import Settings

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.tasks import run_command as task
from letters.enums import describe_cause
from letters.models import LetterRevalidation, LetterValidationRun, ProgramLetter
from programs.models import Course, CourseCertificate, CourseRun, Program, ProgramCertificate
from programs.services import include_runs
from tests.brokers import broker, forget_queue, url_of
from tests.letters.admin.desk import page_of, seen, signed_in, text, url
from tests.letters.commands import Ran, run_command
from tests.letters.factories import (
    DAY,
    by_at,
    empty_queue,
    grade,
    graduates,
    imported,
    issue,
    one_course_program,
    publish_text,
    revalidate,
    states,
    story,
)
from tests.programs.factories import (
    AT,
    RUN_ENDS,
    CourseCertificateFactory,
    CourseRunFactory,
    ProgramCertificateFactory,
    program_requiring,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def program_and_run(db: None) -> tuple[Program, CourseRun]:
    return one_course_program(title="Data Science")


@pytest.fixture
def program(program_and_run: tuple[Program, CourseRun]) -> Program:
    return program_and_run[0]


@pytest.fixture
def run(program_and_run: tuple[Program, CourseRun]) -> CourseRun:
    return program_and_run[1]


@pytest.fixture
def letter(program: Program, run: CourseRun) -> ProgramLetter:
    """An active letter that the public sees."""
    publish_text(program)
    (letter,) = issue(program, *graduates(run), at=AT)
    return letter


@pytest.fixture
def registrar(db: None) -> Client:
    return signed_in(User.objects.create_superuser("rita"))


def look() -> Ran:
    """The line of the crontab."""
    return run_command("revalidate_letters")


def outcomes() -> dict[str, int]:
    found: dict[str, int] = look().summary["outcomes"]
    return found


def let_a_day_pass() -> None:
    LetterRevalidation.objects.update(opened_at=F("opened_at") - DAY, due_at=F("due_at") - DAY)


def correct_grade(registrar: Client, letter: ProgramLetter, percent: str) -> None:
    (row,) = letter.user.course_grades.all()
    form = {
        "percent_grade": percent,
        "says_passed": "unknown",
        "verified": "on",
        "is_final": "on",
        "graded_at_0": f"{RUN_ENDS:%Y-%m-%d}",
        "graded_at_1": f"{RUN_ENDS:%H:%M:%S}",
        "reason": "read the exam again",
    }
    address = reverse("admin:programs_coursegrade_change", args=[row.pk])
    assert registrar.post(address, form).status_code == 302


def act(registrar: Client, model: str, action: str, *rows: Any) -> None:
    chosen = {"_selected_action": [row.pk for row in rows]}
    address = reverse(f"admin:programs_{model}_changelist")
    form = {"action": action, "reason": "looked into it", **chosen}
    assert registrar.post(address, form).status_code == 302


def define(registrar: Client, program: Program, *groups: tuple[str, str, list[Course]]) -> None:
    """Ask in the admin for these groups: title, how many (empty: all), courses."""
    address = reverse("admin:programs_program_define_requirements", args=[program.pk])
    form: dict[str, Any] = {
        "seen": registrar.get(address).context["form"]["seen"].value(),
        "reason": "the senate decided",
        "groups-TOTAL_FORMS": len(groups),
        "groups-INITIAL_FORMS": 0,
        "confirm": "yes",
    }
    for place, (title, needed, courses) in enumerate(groups):
        form |= {
            f"groups-{place}-title": title,
            f"groups-{place}-required_number": needed,
            f"groups-{place}-courses": "\n".join(course.key for course in courses),
        }
    assert registrar.post(address, form).status_code == 302


def timeline(registrar: Client, letter: ProgramLetter) -> list[tuple[str, str, str]]:
    """What the letter's page tells, the newest first: action, what led to it, reason."""
    page = registrar.get(page_of(letter))
    told = page.context["timeline"]
    assert all(f"({escape(entry.cause)})" in text(page) for entry in told)
    return [(entry.event.action, entry.cause, entry.reason) for entry in told]


# --- A grade ---------------------------------------------------------------------------------------


def test_a_grade_corrected_in_the_admin_suspends_after_the_grace_and_lifts_at_once(
    registrar: Client, run: CourseRun, letter: ProgramLetter
) -> None:
    code = f"core_course:{run.course.key}"
    words = f"the core course {run.course.key} is not passed"

    correct_grade(registrar, letter, "0.3")
    assert outcomes() == {"waiting": 1}
    assert "a grade changed, in the admin" in text(registrar.get(page_of(letter)))
    assert states(letter) == ["active"]
    let_a_day_pass()
    assert outcomes() == {"suspended": 1}
    suspended = timeline(registrar, letter)[0]
    correct_grade(registrar, letter, "0.9")
    assert outcomes() == {"lifted": 1}

    letter.refresh_from_db()
    assert (letter.state, letter.state_reason, letter.issued_at) == ("active", "", AT)
    assert suspended == ("suspended", "a grade changed, in the admin", words)
    assert timeline(registrar, letter)[:2] == [
        ("lifted", "a grade changed, in the admin", f"it had been suspended: {words}"),
        suspended,
    ]
    assert story(letter)[2:] == [("suspended", "suspended", code), ("lifted", "active", code)]
    assert not LetterRevalidation.objects.exists()


def test_a_suspended_letter_is_dead_on_its_page_and_alive_again_once_lifted(
    registrar: Client, client: Client, letter: ProgramLetter
) -> None:
    address = reverse("program_letter", args=[letter.uuid])
    answers = [client.get(address).status_code]

    correct_grade(registrar, letter, "0.3")
    let_a_day_pass()
    look()
    answers.append(client.get(address).status_code)
    correct_grade(registrar, letter, "0.9")
    look()
    answers.append(client.get(address).status_code)

    assert answers == [200, 410, 200]


# --- Certificates ----------------------------------------------------------------------------------


def test_a_course_certificate_revoked_and_awarded_again_changes_nothing(
    registrar: Client, run: CourseRun, letter: ProgramLetter
) -> None:
    certificate = CourseCertificateFactory.create(user=letter.user, course_run=run)
    before = letter.events.count()

    act(registrar, "coursecertificate", "revoke", certificate)
    within = outcomes()
    act(registrar, "coursecertificate", "award", certificate)

    row = LetterRevalidation.objects.get()
    assert (within, row.version) == ({"waiting": 1}, 2)
    assert outcomes() == {"unchanged": 1}
    assert not LetterRevalidation.objects.exists()
    assert (states(letter), letter.events.count()) == (["active"], before)
    assert not OutboxMessage.objects.exists()


def test_a_course_certificate_revoked_for_good_suspends(
    registrar: Client, run: CourseRun, letter: ProgramLetter
) -> None:
    certificate = CourseCertificateFactory.create(user=letter.user, course_run=run)

    act(registrar, "coursecertificate", "revoke", certificate)
    let_a_day_pass()

    assert outcomes() == {"suspended": 1}
    assert CourseCertificate.objects.get().status == "revoked"
    assert timeline(registrar, letter)[0] == (
        "suspended",
        "a course certificate was revoked, in the admin",
        f"the core course {run.course.key} is not passed",
    )


def test_a_program_certificate_revoked_in_the_admin_suspends_with_its_own_code(
    registrar: Client, program: Program, letter: ProgramLetter
) -> None:
    certificate = ProgramCertificateFactory.create(user=letter.user, program=program)

    act(registrar, "programcertificate", "revoke", certificate)
    let_a_day_pass()

    assert outcomes() == {"suspended": 1}
    assert ProgramCertificate.objects.get().revocation_reason == "looked into it"
    letter.refresh_from_db()
    assert letter.state_reason == "program_certificate_active"
    assert timeline(registrar, letter)[0] == (
        "suspended",
        "the program certificate was revoked, in the admin",
        "the program certificate was revoked",
    )


# --- Requirements ----------------------------------------------------------------------------------


def test_an_elective_set_that_is_added_leaves_issued_letters_alone(
    registrar: Client, program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    added = CourseRunFactory.create()
    include_runs(program=program, course_run_ids=[run.pk, added.pk], by=by_at(AT))
    empty_queue()
    before = timeline(registrar, letter)

    define(registrar, program, ("", "", [run.course]), ("Electives", "1", [added.course]))
    let_a_day_pass()

    assert LetterRevalidation.objects.count() == 1
    assert outcomes() == {"unchanged": 1}
    assert states(letter) == ["active"]
    assert timeline(registrar, letter) == before


def test_a_missing_elective_set_is_told_by_its_title(
    registrar: Client, program: Program, run: CourseRun
) -> None:
    added = CourseRunFactory.create()
    include_runs(program=program, course_run_ids=[run.pk, added.pk], by=by_at(AT))
    define(registrar, program, ("", "", [run.course]), ("Tools", "1", [added.course]))
    (learner,) = graduates(run)
    grade(added, learner)
    (letter,) = issue(program, learner, at=AT + 9999 * DAY)
    empty_queue()

    letter.user.course_grades.filter(course_run=added).delete()
    run_command("revalidate_letters", "--sweep")
    let_a_day_pass()
    look()

    assert timeline(registrar, letter)[0] == (
        "suspended",
        "a sweep found it out of step, by the command revalidate_letters",
        "too few courses of elective set 1 (Tools) are passed",
    )


def test_a_waiver_of_an_elective_set_holds_when_requirements_are_defined_anew(
    registrar: Client,
) -> None:
    run, tool, other_tool = CourseRunFactory.create_batch(3)
    program = program_requiring(
        core=[run.course], including=[run, tool, other_tool], effective_from=RUN_ENDS + 9 * DAY
    )
    define(registrar, program, ("", "", [run.course]), ("Tools", "1", [tool.course]))
    (letter,) = imported(program, *graduates(run), created_on=RUN_ENDS + DAY)
    waive = url("programletter_waive", letter.pk)
    form = {"code": "elective_set:1", "reason": "Seen on paper.", "seen": seen(letter)}
    offered = text(registrar.get(waive))
    registrar.post(waive, form)
    empty_queue()

    tools = [tool.course, other_tool.course]
    define(registrar, program, ("", "", [run.course]), ("Tools", "2", tools))
    let_a_day_pass()

    assert "too few courses of elective set 1 (tools) are passed" in offered.lower()
    assert outcomes() == {"unchanged": 1}
    assert states(letter) == ["active"]
    checks = registrar.get(page_of(letter)).context["checks"]
    assert {check.code: check.status for check in checks}["elective_set:1"] == "waived"


LIMIT, IMPORTED = 5, 12


@pytest.fixture
def wrong_edit(
    registrar: Client, settings: Settings
) -> tuple[Program, CourseRun, list[ProgramLetter]]:
    """A program of imported letters, older than its requirements, to which a course is added
    that nobody took; the grace is over, and the breaker has stopped the rest."""
    settings.LETTER_BREAKER_LIMIT = LIMIT
    run, other = CourseRunFactory.create_batch(2)
    program = program_requiring(
        core=[run.course], including=[run, other], effective_from=RUN_ENDS + 9 * DAY
    )
    learners = graduates(run, IMPORTED)
    letters = imported(program, *learners, created_on=RUN_ENDS + DAY)
    empty_queue()
    define(registrar, program, ("", "", [run.course, other.course]))

    assert outcomes() == {"waiting": IMPORTED}
    let_a_day_pass()
    stopped = look()

    assert stopped.code == 1
    assert stopped.summary["outcomes"] == {"held": IMPORTED - LIMIT, "suspended": LIMIT}
    assert sorted(states(*letters)) == ["active"] * (IMPORTED - LIMIT) + ["suspended"] * LIMIT
    return program, run, letters


def test_a_wrong_edit_stops_at_the_breaker_and_is_undone_by_the_right_one(
    registrar: Client, wrong_edit: tuple[Program, CourseRun, list[ProgramLetter]]
) -> None:
    program, run, letters = wrong_edit

    define(registrar, program, ("", "", [run.course]))

    undone = look()
    assert undone.summary["outcomes"] == {"unchanged": IMPORTED - LIMIT, "lifted": LIMIT}
    assert (undone.code, undone.summary["held"], undone.summary["queued"]) == (0, 0, 0)
    assert states(*letters) == ["active"] * IMPORTED
    assert {letter.issued_at for letter in ProgramLetter.objects.all()} == {RUN_ENDS + DAY}
    lifted = next(letter for letter in letters if letter.events.count() > 1)
    cause = "the program's requirements or runs changed, in the admin"
    assert [(action, why) for action, why, _ in timeline(registrar, lifted)[:2]] == [
        ("lifted", cause),
        ("suspended", cause),
    ]


def test_an_edit_that_was_meant_so_goes_on_when_staff_release_it(
    registrar: Client, wrong_edit: tuple[Program, CourseRun, list[ProgramLetter]]
) -> None:
    *_rest, letters = wrong_edit
    held_by = LetterValidationRun.objects.get()
    held = next(
        letter for letter, state in zip(letters, states(*letters), strict=True) if state == "active"
    )
    page = registrar.get(page_of(held))

    registrar.post(url("lettervalidationrun_release", held_by.pk), {"reason": "It was meant so."})

    assert page.context["next_action"] == (
        f"A breaker holds the change that is due: release run {held_by}."
    )
    assert states(*letters) == ["suspended"] * IMPORTED
    action, cause, _reason = timeline(registrar, held)[0]
    assert (action, cause) == ("suspended", "in the admin")
    assert not LetterRevalidation.objects.exists()


# --- Words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("course_grade_changed:admin", "a grade changed, in the admin"),
        (
            "course_grade_changed:command:import_micromasters",
            "a grade changed, by the command import_micromasters",
        ),
        ("waiver_withdrawn:admin", "a waiver was withdrawn, in the admin"),
        ("command:issue_letters", "by the command issue_letters"),
        ("api:revoke_letter", "through the API"),
        ("course_grade_changed:", "a grade changed"),
        ("something else", "something else"),
        ("", ""),
    ],
)
def test_causes_are_told_in_words(cause: str, words: str) -> None:
    assert describe_cause(cause) == words


# --- The schedule ----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_worker_does_what_the_schedule_says(settings: Settings) -> None:
    _program, run = program_and_run = one_course_program()
    (letter,) = issue(program_and_run[0], *graduates(run), at=AT - 9 * DAY)
    grade(run, letter.user, percent="0.3", at=AT - 9 * DAY)
    assert revalidate(AT) == {"suspended": 1}
    correct_grade(signed_in(User.objects.create_superuser("rita")), letter, "0.9")
    entry: dict[str, Any] = dict(portal_settings.CELERY_BEAT_SCHEDULE["revalidate_letters"])
    settings.CELERY_BROKER_URL = broker_url = url_of("redis")

    with (
        broker(broker_url) as app,
        start_worker(app, perform_ping_check=False, shutdown_timeout=60),
    ):
        assert entry["task"] == task.name
        task.apply_async(args=entry["args"])
        deadline = time.monotonic() + 30
        while states(letter) != ["active"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    forget_queue(broker_url, app)

    assert story(letter)[-1] == ("lifted", "active", f"core_course:{run.course.key}")
