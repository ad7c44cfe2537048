"""The admin's start page: what each role sees, and what makes it say that something is wrong."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.core.models import JobRun, OutboxBreaker, OutboxHold, OutboxMessage
from credentials_portal.core.schedule import scheduled_jobs
from credentials_portal.web.dashboard import start_page
from credentials_portal.web.sidebar import GROUPS
from entitlements.enums import RefundGateway, RefundStatus
from entitlements.models import CourseEntitlementRedemption
from letters.enums import RunStatus
from letters.models import LetterRevalidation, LetterValidationRun
from letters.services import approve_plan, revoke_letter
from tests.entitlements.admin.desk import being_asked, refund_of
from tests.entitlements.factories import EntitlementFactory, OfferedRunFactory
from tests.letters.admin.desk import held_run
from tests.letters.factories import by_at, imported, one_course_program, planned
from tests.licenses.factories import AT as LICENSES_AT
from tests.licenses.factories import PlanFactory, RenewalFactory
from tests.programs.factories import CreditRequestFactory, LearnerFactory
from tests.subsidy_requests.factories import ConfigurationFactory, LicenseRequestFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 6, 1, 12, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LETTERS, LICENSES, ENTITLEMENTS = "letters", "licenses", "entitlements"
REQUESTS, CREDIT, OUTBOX, JOBS = "requests", "credit", "outbox", "jobs"
EVERYTHING = {LETTERS, LICENSES, ENTITLEMENTS, REQUESTS, CREDIT, OUTBOX, JOBS}


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture
def administrator() -> User:
    user: User = User.objects.create(username="root", is_staff=True, is_superuser=True)
    return user


def member_of(*roles: str) -> User:
    user: User = User.objects.create(username="-".join(["member", *roles]), is_staff=True)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def job(name: str, *options: str, at: datetime = NOW - MINUTE, outcome: str = "done") -> JobRun:
    return JobRun.objects.create(
        name=name,
        arguments={option.removeprefix("--").replace("-", "_"): True for option in options},
        system_user="cron",
        judged_at=at,
        started_at=at,
        ended_at=at,
        outcome=outcome,
    )


def all_jobs_ran(at: datetime = NOW - MINUTE) -> None:
    for scheduled in scheduled_jobs(at):
        job(*scheduled.line.split(), at=at)


def message(status: str = "pending", *, ago: timedelta = MINUTE, **fields: Any) -> OutboxMessage:
    return OutboxMessage.objects.create(
        **{"kind": "a.mail", "dedupe_key": str(uuid4()), "payload": {}, "status": status}
        | {"due_at": NOW - ago, "created_at": NOW - ago}
        | fields
    )


def finished(status: str, **fields: Any) -> OutboxMessage:
    return message(status, finished_at=NOW - MINUTE, **fields)


def seen_by(user: User) -> str:
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    response = client.get("/admin/")
    assert response.status_code == 200
    return str(response.content.decode())


def sections(page: str) -> set[str]:
    return set(re.findall(r'<section class="start-card" aria-labelledby="(\w+)"', page))


def sidebar(page: str) -> set[str]:
    return set(re.findall(r'<a href="/admin/(\w+/\w+)/"', page))


def problems(user: User) -> list[tuple[str, str]]:
    return [(problem.words, problem.address) for problem in start_page(user, at=NOW).problems()]


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("Registrars", {LETTERS, ENTITLEMENTS, CREDIT}),
        ("Subscriptions", {LICENSES, REQUESTS}),
        ("Support", {LETTERS, LICENSES, ENTITLEMENTS, REQUESTS, CREDIT}),
        ("Refunds", {ENTITLEMENTS, CREDIT}),
        ("Operators", EVERYTHING),
        ("Auditors", EVERYTHING),
    ],
)
def test_each_role_sees_what_it_may_look_at(role: str, expected: set[str]) -> None:
    assert sections(seen_by(member_of(role))) == expected


def test_says_when_there_is_nothing_that_one_may_look_at() -> None:
    page = seen_by(member_of())

    assert sections(page) == set()
    assert "Here is nothing that you may look at yet" in page
    assert "Everything is all right" not in page


def test_no_problem_of_what_one_may_not_see_is_told() -> None:
    message("dead")

    assert problems(member_of("Support")) == []
    assert "Everything is all right" in seen_by(member_of("Registrars"))


def test_each_part_needs_the_permission_of_its_own_model() -> None:
    parts = {
        "core.view_jobrun": {"jobs"},
        "core.view_outboxmessage": {"outbox", "deliveries"},
        "core.view_outboxhold": {"holds"},
        "core.view_outboxbreaker": {"breakers"},
        "letters.view_programletter": {"letters", "changes"},
        "letters.view_letterrevalidation": {"queue"},
        "letters.view_lettervalidationrun": {"runs"},
        "licenses.view_subscriptionplan": {"licenses"},
        "entitlements.view_courseentitlement": {"entitlements"},
        "subsidy_requests.view_licenserequest": {"requests"},
        "programs.view_usercreditpathway": {"credit"},
    }

    for permission, expected in parts.items():
        _app, codename = permission.split(".")
        user = User.objects.create(username=codename, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename=codename))
        page = start_page(user, at=NOW)
        shown = {name for name, part in vars(page).items() if part is not None} - {"at"}

        assert shown == expected, permission
        assert sections(seen_by(user)), permission


def test_a_learner_and_a_stranger_do_not_get_in() -> None:
    client = Client(headers={"host": "localhost"})
    assert client.get("/admin/").status_code == 302

    client.force_login(User.objects.create(username="ada"))
    assert client.get("/admin/").status_code == 302


def test_says_that_everything_is_all_right(administrator: User) -> None:
    all_jobs_ran()
    finished("done")
    imported(one_course_program()[0], LearnerFactory.create())
    LetterRevalidation.objects.all().delete()

    assert problems(administrator) == []


def test_letters_that_fail_and_are_shown_still_are_a_problem(administrator: User) -> None:
    all_jobs_ran()
    LetterRevalidation.objects.create(
        user=LearnerFactory.create(),
        program=one_course_program()[0],
        opened_at=NOW,
        due_at=NOW + MINUTE,
    )

    words = "Letters that fail their checks, and are shown until their grace ends: 1."
    address = "/admin/letters/letterrevalidation/?waits_for=grace"
    assert problems(administrator) == [(words, address)]


def test_the_page_shows_the_verdict(administrator: User) -> None:
    all_jobs_ran(timezone.now())
    assert "Everything is all right" in seen_by(administrator)

    message("dead")
    message("uncertain")

    page = seen_by(administrator)
    assert "2 things need somebody" in page
    assert 'href="/admin/core/outboxmessage/?status__exact=dead">Settle them</a>' in page


def test_a_late_job_is_a_problem(administrator: User) -> None:
    all_jobs_ran()
    JobRun.objects.filter(name="revalidate_letters", arguments={}).delete()
    JobRun.objects.filter(name="revalidate_letters").update(started_at=NOW - 26 * MINUTE)
    JobRun.objects.filter(name="check_history").update(started_at=NOW - timedelta(hours=33))
    late = "revalidate_letters, check_history"

    assert problems(administrator) == [
        (
            f"2 scheduled jobs are late: {late}. Does beat, or cron, still run?",
            "/admin/core/jobrun/",
        )
    ]


def test_a_job_that_never_ran_is_a_problem(administrator: User) -> None:
    all_jobs_ran()
    JobRun.objects.filter(name="purge_outbox").delete()

    assert problems(administrator) == [
        ("A scheduled job has never run: purge_outbox. Start beat, or cron.", "/admin/core/jobrun/")
    ]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("failed_items", "some items failed"),
        ("refused", "refused"),
        ("interrupted", "interrupted, run again to go on"),
        ("crashed", "crashed"),
    ],
)
def test_a_job_that_did_not_succeed_is_a_problem(
    administrator: User, outcome: str, words: str
) -> None:
    all_jobs_ran()
    run = job("check_history", at=NOW, outcome=outcome)

    assert problems(administrator) == [
        (f"The job check_history did not succeed: {words}.", f"/admin/core/jobrun/{run.pk}/change/")
    ]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("dead", "Messages that the portal gave up on: 1. Somebody must decide."),
        (
            "uncertain",
            "Messages of which nobody knows whether they arrived: 1. Somebody must find out.",
        ),
    ],
)
def test_a_stuck_message_is_a_problem(administrator: User, status: str, words: str) -> None:
    all_jobs_ran()
    message(status)

    assert problems(administrator) == [
        (words, f"/admin/core/outboxmessage/?status__exact={status}")
    ]


def test_a_message_that_should_have_left_is_a_problem(administrator: User) -> None:
    all_jobs_ran()
    message(ago=14 * MINUTE)
    assert problems(administrator) == []

    message(ago=60 * MINUTE)

    assert problems(administrator) == [
        (
            "A message has been due for 1\xa0hour: nobody delivers, or not fast enough.",
            "/admin/core/outboxmessage/",
        )
    ]


def test_a_hold_is_a_problem_and_what_it_stops_is_no_second_one(administrator: User) -> None:
    all_jobs_ran()
    message(kind="a.mail", ago=60 * MINUTE)
    OutboxHold.objects.create(kind="a.mail", reason="The mail server moves.", held_at=NOW)

    assert problems(administrator) == [
        ("Delivery is on hold, of a.mail: The mail server moves.", "/admin/core/outboxhold/")
    ]


def test_a_remote_system_that_does_not_answer_is_a_problem(administrator: User) -> None:
    all_jobs_ran()
    OutboxBreaker.objects.create(kind="a.mail", failures=4)
    assert problems(administrator) == []

    OutboxBreaker.objects.create(kind="b.call", scope="lms", failures=5, open_until=NOW - MINUTE)

    assert problems(administrator) == [
        ("What messages are sent to does not answer: b.call lms.", "/admin/core/outboxbreaker/")
    ]


def test_a_run_that_waits_for_a_release_is_a_problem(administrator: User) -> None:
    all_jobs_ran()
    run = held_run()

    assert problems(administrator) == [
        (
            "A breaker stopped a run over letters, which waits for a release.",
            f"/admin/letters/lettervalidationrun/{run.pk}/change/",
        )
    ]


def test_a_plan_that_was_applied_in_part_is_a_problem(administrator: User) -> None:
    all_jobs_ran()
    imported(one_course_program()[0], LearnerFactory.create())
    run = planned()
    assert problems(administrator) == []

    approve_plan(run, by=by_at(NOW))

    assert problems(administrator) == [
        (
            "A validation plan was applied in part.",
            f"/admin/letters/lettervalidationrun/{run.pk}/change/",
        )
    ]


def test_every_address_of_a_problem_has_a_page(administrator: User) -> None:
    message("dead", ago=60 * MINUTE)
    message(ago=60 * MINUTE)
    job("check_history", outcome="crashed")
    OutboxHold.objects.create(kind="a.call", reason="Moved.", held_at=NOW)
    OutboxBreaker.objects.create(kind="a.mail", failures=5, open_until=NOW)
    held_run()
    refund_of(EntitlementFactory.create())
    client = Client(headers={"host": "localhost"})
    client.force_login(administrator)

    addresses = set(re.findall(r'href="(/admin/[^"]*)"', seen_by(administrator)))

    assert len(addresses) > 30
    for address in addresses - {"/admin/logout/"}:
        response = client.get(address.replace("&amp;", "&"))
        assert response.status_code == 200, address


def test_the_numbers_stand_beside_the_bars(administrator: User) -> None:
    letter, _other = imported(one_course_program()[0], *LearnerFactory.create_batch(2), at=NOW)
    revoke_letter(letter_uuid=letter.uuid, by=by_at(NOW))

    page = start_page(administrator, at=NOW)

    assert page.changes is not None
    assert [(str(series.name), series.total) for series in page.changes.series] == [
        ("Issued", 2),
        ("Suspended", 0),
        ("Revoked", 1),
    ]
    assert len(page.changes.rows) == 30
    assert page.changes.rows[0] == (NOW.date(), [2, 0, 1])
    assert page.changes.rows[1] == (NOW.date() - timedelta(days=1), [0, 0, 0])


def test_the_start_page_takes_as_many_statements_for_many_rows_as_for_one(
    administrator: User,
) -> None:
    def add(rows: int) -> None:
        for _ in range(rows):
            message("dead")
            message(ago=60 * MINUTE, kind=f"kind.{uuid4().hex[:8]}")
            finished("done")
            job("check_history", outcome="crashed")
            OutboxBreaker.objects.create(kind=str(uuid4()), failures=5, open_until=NOW)
            OutboxHold.objects.create(kind=str(uuid4()), reason="Moved.", held_at=NOW)
        imported(one_course_program()[0], *LearnerFactory.create_batch(rows))
        held_run()
        planned()
        for entitlement in EntitlementFactory.create_batch(rows):
            refund_of(entitlement)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            seen_by(administrator)
        return len(captured)

    add(1)
    for_one = statements()
    add(50)

    assert statements() == for_one


def test_the_sidebar_has_every_list_once() -> None:
    labels = [label for _title, items in GROUPS for label, _icon, _name in items]

    assert sorted(labels) == sorted(model._meta.label for model in admin.site._registry)


@pytest.mark.parametrize(
    ("role", "has", "lacks"),
    [
        ("Registrars", "letters/programletter", "core/jobrun"),
        ("Support", "programs/coursegrade", "core/outboxmessage"),
        ("Operators", "core/outboxhold", "auth/group"),
        ("Auditors", "core/outboxbreaker", "oauth2_provider/application"),
    ],
)
def test_the_sidebar_leaves_out_what_one_may_not_look_at(role: str, has: str, lacks: str) -> None:
    shown = sidebar(seen_by(member_of(role)))

    assert has in shown
    assert lacks not in shown


def test_no_group_of_the_sidebar_is_empty() -> None:
    page = seen_by(member_of("Support"))

    assert ">Machinery<" not in re.sub(r"\s", "", page)
    assert ">Programs<" in re.sub(r"\s", "", page)


def test_run_with_nothing_left_to_release_is_no_problem(administrator: User) -> None:
    all_jobs_ran()
    run = held_run()
    LetterValidationRun.objects.filter(pk=run.pk).update(status=RunStatus.RELEASED)

    assert problems(administrator) == []


def test_a_stuck_renewal_needs_somebody(administrator: User) -> None:
    all_jobs_ran()
    plan = PlanFactory.create(title="Gold", expiration_date=NOW - timedelta(days=3))
    renewal = RenewalFactory.create(prior_subscription_plan=plan)

    assert problems(administrator) == [
        (
            "The renewal of the plan “Gold” should have been processed, and was not.",
            f"/admin/licenses/subscriptionplanrenewal/{renewal.pk}/change/",
        )
    ]


def test_requests_that_could_not_be_granted_need_somebody(administrator: User) -> None:
    all_jobs_ran()
    failed = LicenseRequestFactory.create(failed=True)
    ConfigurationFactory.create(customer=failed.customer)
    LicenseRequestFactory.create_batch(2, customer=failed.customer)

    standing = start_page(administrator, at=NOW).requests

    assert problems(administrator) == [
        (
            "Approved requests for which no license could be granted: 1.",
            "/admin/subsidy_requests/licenserequest/?state__exact=error",
        )
    ]
    assert standing
    assert (standing.waiting.number, standing.waiting_since) == (2, LICENSES_AT)
    assert [(one.slug, one.unmet) for one in standing.unmet] == [(failed.customer.slug, 3)]
    assert "3 seats too few" in seen_by(administrator)


def test_credit_requests_that_did_not_get_where_they_should_need_somebody() -> None:
    CreditRequestFactory.create(failed=True, requested_at=NOW - timedelta(days=1))
    CreditRequestFactory.create(failed=True, requested_at=NOW - timedelta(days=31))
    unclear = CreditRequestFactory.create(queued=True)
    kind = "programs.credit_request"
    message("uncertain", kind=kind, payload={"request": unclear.pk})
    message("uncertain", kind="programs.record_mail", payload={"request": unclear.pk + 1})
    registrar = member_of("Registrars")

    address = "/admin/programs/usercreditpathway/?needs="
    nobody_knows = (
        "Requests for credit of which nobody knows whether the institution got them: 1."
        " Somebody must find out."
    )
    assert problems(registrar) == [
        (
            "Requests for credit that could not be sent, and that nobody made again: 1.",
            f"{address}failed",
        ),
        (nobody_knows, f"{address}unclear"),
    ]
    assert "perhaps sent" in seen_by(registrar)


def test_shows_plans_that_end_soon_and_calls_that_were_given_up(administrator: User) -> None:
    soon = PlanFactory.create(expiration_date=NOW + timedelta(days=30))
    PlanFactory.create(expiration_date=NOW + timedelta(days=31))
    PlanFactory.create(expiration_date=NOW + timedelta(days=3), is_active=False)
    message("dead", kind="licenses.unlink")
    message("dead", kind="licenses.mail")

    standing = start_page(administrator, at=NOW).licenses

    assert standing
    assert (standing.running, standing.ending, standing.given_up) == (2, (soon,), 1)


def test_entitlements_that_wait_for_staff_are_problems(administrator: User) -> None:
    all_jobs_ran()
    to_review, to_pay = EntitlementFactory.create_batch(2)
    refund_of(to_review)
    refund_of(to_pay, RefundStatus.OPENED, RefundGateway.MANUAL)
    refunds = "/admin/entitlements/courseentitlementrefund/"

    assert problems(administrator) == [
        (
            "Refunds of which nobody knows whether they were given: 1. Somebody must find out.",
            f"{refunds}?waits_for=review",
        ),
        ("Refunds to be paid by hand: 1.", f"{refunds}?waits_for=payment"),
    ]


def test_refunds_and_uses_without_an_answer_for_a_day_are_problems(administrator: User) -> None:
    all_jobs_ran()
    long_ago = NOW - timedelta(days=1)
    being_asked(refund_of(EntitlementFactory.create(), RefundStatus.PENDING, requested_at=long_ago))
    CourseEntitlementRedemption.objects.create(
        entitlement=EntitlementFactory.create(),
        course_run=OfferedRunFactory.create(),
        requested_at=long_ago,
    )

    assert problems(administrator) == [
        (
            "Refunds that nobody has answered for a day: 1.",
            "/admin/entitlements/courseentitlementrefund/?waits_for=answer",
        ),
        (
            "Entitlements that the LMS has not let learners use for a day: 1.",
            "/admin/entitlements/courseentitlementredemption/?status__exact=pending",
        ),
    ]
