"""The demo institution is made once for these tests; each of them leaves it as it was."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker, Settings

from credentials_portal.accounts.models import User
from credentials_portal.core.history import (
    Attribution,
    models_with_history,
    rows_without_true_history,
)
from credentials_portal.core.models import OutboxMessage
from credentials_portal.web.demo import PASSWORD, seed_demo
from credentials_portal.web.demo.catalog import DEVELOPMENT, NOT_YET, PROGRAM_5, SUPPLY_CHAINS
from credentials_portal.web.demo.records import ask_institutions
from entitlements.selectors.learners import entitlements_of_learner
from entitlements.selectors.sessions import sessions_of
from letters.models import LetterEvent, LetterRevalidation, LetterValidationResult, ProgramLetter
from licenses.models import SubscriptionPlan
from licenses.services import CustomerExistsError, open_customer
from programs.models import CourseGrade, Program
from programs.selectors import record_of
from programs.selectors.credit import requests_of_learner, timeline_of
from programs.selectors.sharing import links_of_learner
from tests.web.rows import row_counts

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)

PROGRAM_5_CHECKS = ("core_course:NBx+PD1", "core_course:NBx+PD2", "core_course:NBx+PD3")
FALSE_LETTERS = 1_027


@pytest.fixture(scope="module")
def statements(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[int]:
    """How many statements made the demo institution, which stands until the module's end."""
    with django_db_blocker.unblock(), transaction.atomic():
        with CaptureQueriesContext(connection) as queries:
            assert seed_demo(at=AT)
        yield len(queries)
        transaction.set_rollback(True)


@pytest.fixture
def institution(statements: int, db: None) -> None:
    """The demo institution, to be changed as one likes."""


def run(command: str, *arguments: str, at: datetime = AT) -> dict[str, Any]:
    """The summary of an operator's command, run at that instant."""
    stdout = StringIO()
    call_command(command, *arguments, as_of=at, format="json", stdout=stdout)
    summary: dict[str, Any] = json.loads(stdout.getvalue())
    return summary


def test_a_plan_finds_exactly_the_false_letters(institution: None) -> None:
    plan = run("validate_letters")

    assert (plan["total"], plan["valid"], plan["invalid"], plan["indeterminate"]) == (
        *(1_067, 40),
        *(FALSE_LETTERS, 0),
    )
    assert plan["actions"] == {"suspend": FALSE_LETTERS}
    assert plan["reasons"] == {
        "program_started": 1_024,
        **dict.fromkeys(PROGRAM_5_CHECKS, 1_024),
        "core_course:NBx+SC5": 1,
        "elective_set:1": 1,
        "core_course:NBx+DS2": 1,
    }


def test_the_plan_names_the_reasons_of_each_letter(institution: None) -> None:
    plan = run("validate_letters")
    results = LetterValidationResult.objects.filter(run__uuid=plan["run"])

    by_program = Counter(
        (title, verdict, tuple(failed)[:2])
        for title, verdict, failed in results.values_list(
            "letter__program__title", "verdict", "failed_checks"
        )
        if not failed or failed[0] == "program_started"
    )
    assert by_program == {
        (PROGRAM_5.title, "invalid", ("program_started", PROGRAM_5_CHECKS[0])): 1_024,
        (PROGRAM_5.title, "valid", ()): 10,
        ("Supply Chain Practice", "valid", ()): 6,
        ("Data Science in Practice", "valid", ()): 6,
        ("Economics of Development", "valid", ()): 6,
        ("Modern Manufacturing", "valid", ()): 6,
        ("Sustainable Finance", "valid", ()): 6,
    }
    valid = results.filter(verdict="valid")
    assert set(valid.values_list("planned_action", flat=True)) == {"none"}


def test_the_false_letters_of_program_5_are_of_one_day_before_it_had_courses(
    institution: None,
) -> None:
    program = Program.objects.get(uuid=PROGRAM_5.uuid)
    letters = ProgramLetter.objects.filter(program=program).order_by("issued_at")
    days = Counter(letter.issued_at.date() for letter in letters if letter.issued_at)
    version = program.requirements_versions.get()
    false = letters.filter(issued_at__lt=version.effective_from)
    grades = CourseGrade.objects.filter(
        user__program_letters__in=false, course_run__programs=program
    )

    assert days.pop(datetime(2019, 12, 19).date()) == 1_024  # noqa: DTZ001 - a date
    assert sum(days.values()) == 10
    assert min(days).year > 2021
    assert version.effective_from.year == 2020
    assert Counter(grades.values_list("passed", "course_run__end_date__year")) == {
        (False, 2020): 1_024
    }


def test_nothing_but_a_plan_touches_the_letters(institution: None) -> None:
    """Today, tomorrow, and when the grace of anything that had been queued would be over."""
    assert not LetterRevalidation.objects.exists()

    nights = [run("revalidate_letters", at=AT + DAY * number) for number in (1, 2)]
    plan = run("validate_letters", at=AT + DAY * 2)

    assert [night["looked_at"] for night in nights] == [0, 0]
    assert (plan["invalid"], plan["actions"]) == (FALSE_LETTERS, {"suspend": FALSE_LETTERS})


def test_the_lowered_grade_is_told_by_its_history(institution: None) -> None:
    letters = ProgramLetter.objects.filter(program__title="Data Science in Practice")
    grade = CourseGrade.objects.get(
        user__program_letters__in=letters, course_run__course__key="NBx+DS2", passed=False
    )

    steps = grade.history.order_by("history_id").values_list("percent_grade", "passed")

    assert [(str(percent), passed) for percent, passed in steps] == [
        ("0.6600", True),
        ("0.5200", False),
    ]


def test_the_program_without_courses_gets_no_letter(institution: None) -> None:
    arguments = ["--program", str(NOT_YET.uuid)]
    stdout = StringIO()

    with pytest.raises(CommandError, match="requirements_defined") as refusal:
        call_command("issue_letters", *arguments, as_of=AT, format="json", stdout=stdout)

    summary = json.loads(stdout.getvalue())
    assert refusal.value.returncode == 2
    assert (summary["issued"], summary["pending"], summary["not_eligible"]) == (0, 0, 12)


def test_was_made_by_services_alone(institution: None) -> None:
    versions = ProgramLetter.objects.aggregate(total=Sum("version"))["total"]
    assert LetterEvent.objects.count() == versions
    assert [rows_without_true_history(model) for model in models_with_history()] == [0] * len(
        models_with_history()
    )
    assert sorted(OutboxMessage.objects.values_list("kind", flat=True)) == [
        "licenses.link",
        "programs.credit_request",
    ]


def test_shows_the_letters_as_the_old_system_did(institution: None) -> None:
    hidden = ProgramLetter.objects.exclude(pk__in=ProgramLetter.objects.shown())

    assert set(hidden.values_list("program__title", flat=True)) == {"Economics of Development"}
    assert hidden.count() == 7


def test_the_plan_that_ended_is_to_be_processed(institution: None) -> None:
    forecast = run("expiry_forecast")

    assert forecast["customers"] == {
        "harbour-logistics": {
            "downgrade": {"due": 40},
            "unlink": {"unlink": 39, "other_live_license": 1},
        }
    }


def test_its_learners_are_unlinked_but_for_the_one_who_has_a_seat_still(institution: None) -> None:
    done = run("expire_subscriptions", "--with-unlink")

    assert done["expired"]["plans"]["due"] == done["expired"]["processed"] == 1
    assert (done["expired"]["licenses"], done["expired"]["open_downgrades"]) == (40, 0)
    assert (done["unlinked"]["learners"], done["unlinked"]["unlinked"]) == (39, 39)
    assert done["unlinked"]["kept_licenses"] == {"other_live_license": 1}
    told = OutboxMessage.objects.filter(kind__in=["licenses.downgrade", "licenses.unlink"])
    assert set(told.values_list("kind", "status", "reason")) == {
        ("licenses.downgrade", "skipped", "no_lms"),
        ("licenses.unlink", "skipped", "no_lms"),
    }


def test_the_running_plan_has_free_seats_and_one_to_activate(institution: None) -> None:
    plan = SubscriptionPlan.objects.current(AT).get()
    held = plan.licenses.live().values_list("user_email", "status")

    assert plan.expiration_date == datetime(2026, 1, 21, tzinfo=UTC)
    assert plan.licenses.filter(status="unassigned").count() == 23
    assert set(held) == {
        ("learner@example.org", "assigned"),
        ("learner0001@example.org", "activated"),
    }


def test_does_not_make_a_customer_that_is_there(institution: None) -> None:
    by = Attribution(at=AT, cause="test")

    with pytest.raises(CustomerExistsError, match="a customer harbour-logistics already"):
        open_customer(slug="harbour-logistics", name="Harbour Logistics", by=by)


def test_the_customers_administrator_sees_its_plans(institution: None, client: Client) -> None:
    client.force_login(User.objects.get(username="customer"))

    page = client.get("/customers/harbour-logistics/").content.decode()

    assert "Harbour Logistics: first year" in page
    assert "Harbour Logistics: second year" in page


def test_the_customers_administrator_has_requests_to_decide(
    institution: None, client: Client
) -> None:
    client.force_login(User.objects.get(username="customer"))

    page = client.get("/customers/harbour-logistics/requests/").content.decode()

    assert "3 requests wait for your decision." in page
    assert "I lead the talks with two carriers" in page


def test_the_learner_reads_why_a_request_was_declined(institution: None, client: Client) -> None:
    client.force_login(User.objects.get(username="learner"))

    page = client.get("/access/requests/").content.decode()

    assert "You have a license of ours already" in page


def test_the_learner_bought_courses_at_each_point_of_their_lives(institution: None) -> None:
    learner = User.objects.get(username="learner")

    held = {one.course_title: one for one in entitlements_of_learner(learner, at=AT)}
    sessions = sessions_of([one.judged for one in held.values()], at=AT)

    assert {title: (one.standing, one.ends_soon) for title, one in held.items()} == {
        "Negotiation": ("available", False),
        "Writing for Engineers": ("in_use", False),
        "Speaking in Public": ("available", True),
        "Ethics of Engineering": ("used", False),
    }
    choices = {title: len(sessions[one.entitlement.pk]) for title, one in held.items()}
    assert choices == {
        **dict.fromkeys(["Negotiation", "Writing for Engineers", "Speaking in Public"], 2),
        "Ethics of Engineering": 1,
    }


def test_the_learner_has_a_record_that_is_complete(institution: None) -> None:
    learner = User.objects.get(username="learner")

    record = record_of(user_id=learner.pk, program_uuid=SUPPLY_CHAINS.uuid, at=AT)

    assert record.school == "Northbridge Institute"
    assert record.is_completed
    assert [(row.course_key, row.letter_grade, row.is_earned) for row in record.rows] == [
        ("NBx+SC1", "A", True),
        ("NBx+SC2", "A", True),
        ("NBx+SC3", "A", True),
        ("NBx+SC4", "D", True),
        ("NBx+SC5", "D", True),
    ]


def test_the_learner_has_a_record_that_is_not_and_reads_each_reason(institution: None) -> None:
    learner = User.objects.get(username="learner")

    records = [
        record_of(user_id=learner.pk, program_uuid=program.uuid, at=AT)
        for program in (DEVELOPMENT, PROGRAM_5)
    ]

    assert [[row.reason and str(row.reason) for row in record.rows] for record in records] == [
        [
            *(None, "no_certificate", "no_grade", "not_available_until"),
            *("revoked", "unverified", "excluded_run"),
        ],
        ["no_grade", "not_passed", "no_grade"],
    ]


def test_the_learner_asked_institutions_and_one_mail_waits(institution: None) -> None:
    learner = User.objects.get(username="learner")

    requests = requests_of_learner(user_id=learner.pk)

    assert [(one.pathway.org_name, one.status, one.answer) for one in requests] == [
        ("Lakeside College", "queued", ""),
        ("Lakeside College", "withdrawn", ""),
        ("Harbour University", "sent", "granted"),
    ]
    assert [entry.code for entry in timeline_of(requests[2])] == [
        *("queued", "sent"),
        *("received", "granted"),
    ]
    assert {bool(one.shared_record and one.shared_record.is_live(AT)) for one in requests} == {
        True,
        False,
    }
    links = links_of_learner(user_id=learner.pk)
    assert [one.views for one in links if one.request is None] == [2]


def test_takes_back_no_mail_but_its_own(institution: None) -> None:
    waiting = set(OutboxMessage.objects.filter(kind__startswith="programs."))
    learner = User.objects.get(username="learner")

    ask_institutions(learner, by=Attribution(at=AT + 40 * DAY, cause="test"))

    kept = set(OutboxMessage.objects.filter(kind__startswith="programs."))
    assert waiting < kept
    assert len(kept - waiting) == 1


def test_takes_few_statements_for_many_people(institution: None, statements: int) -> None:
    assert statements < User.objects.count()


def test_everybody_has_a_name_of_their_own_in_one_of_many_scripts(institution: None) -> None:
    names = list(User.objects.values_list("full_name", flat=True))
    scripts = {unicodedata.name(name[0]).split()[0] for name in names}

    assert len(set(names)) == len(names) > 1_100
    assert {"ARABIC", "CJK", "CYRILLIC", "DEVANAGARI", "LATIN"} <= scripts


def test_is_made_once(institution: None) -> None:
    before = row_counts()

    again = seed_demo(at=AT + DAY)

    assert not again
    assert row_counts() == before


@pytest.mark.parametrize("username", ["learner", "registrar", "admin", "customer"])
def test_tells_logins_that_work_on_every_run(
    institution: None, client: Client, settings: Settings, username: str
) -> None:
    settings.DEMO, settings.PORTAL_BASE_URL = True, "http://localhost:8123"
    stdout = StringIO()

    call_command("seed_demo", stdout=stdout)

    assert "http://localhost:8123/" in stdout.getvalue()
    assert f"{username} " in stdout.getvalue()
    client.post("/accounts/login/", {"username": username, "password": PASSWORD})
    assert "Sign out" in client.get("/").content.decode()
    is_staff = username in {"registrar", "admin"}
    assert client.get("/admin/").status_code == (200 if is_staff else 302)


def test_json_stays_the_last_line(institution: None, settings: Settings) -> None:
    settings.DEMO = True

    assert run("seed_demo") == {"seeded": False}


def test_force_makes_it_anyhow(institution: None, settings: Settings) -> None:
    settings.DEMO = False

    assert run("seed_demo", "--force") == {"seeded": False}
