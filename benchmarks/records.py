"""Read the records of a learner with 1,500 certificates, and queue credit requests by the hundred."""

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.measuring import measured
from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from credentials_portal.core.models import OutboxMessage
from programs.enums import CreditRequestSource
from programs.models import (
    CourseCertificate,
    Pathway,
    Program,
    SharedProgramRecord,
    UserCreditPathway,
)
from programs.selectors import record_of, records_of_learner
from programs.services import include_runs
from programs.services.credit import request_credit
from programs.services.sharing import share_record

PROGRAMS, RUNS = 50, 30
OTHERS = {"S": 2_000, "M": 20_000}
READS = 100
MOST_STATEMENTS = 8
MOST_TIMES_THE_FLOOR = 3.0
REQUESTS = {"S": 2_000, "M": 10_000}
WORKERS = 4
WANTED_PER_SECOND = 200
CATALOG = """
    WITH course AS (
        INSERT INTO programs_course (uuid, key, title, created, modified)
        SELECT gen_random_uuid(), 'benchmark+' || n, 'Course ' || n, %(at)s, %(at)s
        FROM generate_series(0, %(runs)s - 1) AS n
        RETURNING id, key
    )
    INSERT INTO programs_courserun (
        uuid, course_id, key, title_override, end_date, passing_grade, created, modified)
    SELECT gen_random_uuid(), id, 'course-v1:' || key, '', %(at)s, 0.6, %(at)s, %(at)s
    FROM course ORDER BY id
"""
RESULTS = """
    WITH run AS (
        SELECT id, row_number() OVER (ORDER BY id) AS place FROM programs_courserun
        WHERE key LIKE 'course-v1:benchmark+%%'
    ),
    earned AS (
        SELECT learner.id AS user_id, run.id AS course_run_id
        FROM accounts_user AS learner JOIN run ON run.place <= %(each)s
        WHERE learner.id = ANY(%(users)s::bigint[])
    ),
    certificate AS (
        INSERT INTO programs_coursecertificate (
            uuid, user_id, course_run_id, mode, status, source, awarded_at, attributes, created,
            modified)
        SELECT gen_random_uuid(), user_id, course_run_id, 'verified', 'awarded', 'lms', %(at)s,
               '[]', %(at)s, %(at)s
        FROM earned
    )
    INSERT INTO programs_coursegrade (
        user_id, course_run_id, percent_grade, letter_grade, passed, verified, is_final, created,
        modified)
    SELECT user_id, course_run_id, 0.8, 'B', true, true, true, %(at)s, %(at)s FROM earned
"""


@dataclass(frozen=True)
class Graduate:
    """Somebody with a certificate for every run of every program."""

    user: User
    programs: list[Program]
    link: SharedProgramRecord


def measure(size: str) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    others = _users("other", OTHERS[size])
    graduate = _graduate(others)
    certificates = CourseCertificate.objects.filter(user=graduate.user).count()
    print(
        f"\nProgram records: a learner with {certificates:,} certificates in {PROGRAMS} programs,"
        f" among {CourseCertificate.objects.count():,} certificates"
    )
    _measure_selectors(graduate)
    _measure_pages(graduate)
    _measure_requests(graduate.programs[0], others[: REQUESTS[size]])


def _users(name: str, count: int) -> list[User]:
    users = [
        User(username=f"{name}{n}", email=f"{name}{n}@x.example", full_name="A", password="!")
        for n in range(count)
    ]
    return list(User.objects.bulk_create(users))


def _graduate(others: list[User]) -> Graduate:
    [user] = _users("graduate", 1)
    by = Attribution(at=timezone.now(), cause="benchmark")
    programs = [Program.objects.create(title=f"Program {n:02}") for n in range(PROGRAMS)]
    with connection.cursor() as cursor:
        cursor.execute(CATALOG, {"at": by.at, "runs": PROGRAMS * RUNS})
        cursor.execute(
            "SELECT id FROM programs_courserun WHERE key LIKE 'course-v1:benchmark+%' ORDER BY id"
        )
        runs = [run_id for (run_id,) in cursor.fetchall()]
        for users, each in ((others, RUNS), ([user], len(runs))):
            ids = [one.pk for one in users]
            cursor.execute(RESULTS, {"at": by.at, "users": ids, "each": each})
        for number, program in enumerate(programs):
            mine = runs[number * RUNS : (number + 1) * RUNS]
            include_runs(program=program, course_run_ids=mine, by=by)
        cursor.execute("VACUUM ANALYZE")
    link = share_record(user=user, program=programs[0], by=by).link
    return Graduate(user, programs, link)


# --- Reading -------------------------------------------------------------------------------------


def _measure_selectors(graduate: Graduate) -> None:
    """What the rules cost beyond their own statements."""
    at, user_id, uuid = timezone.now(), graduate.user.pk, graduate.programs[0].uuid
    _compare("the list", lambda: len(records_of_learner(user_id=user_id, at=at)), PROGRAMS)
    _compare(
        "a record",
        lambda: record_of(user_id=user_id, program_uuid=uuid, at=at).earned,
        RUNS,
    )


def _measure_pages(graduate: Graduate) -> None:
    """What clients and browsers read: with session, person and throttle, written out as JSON or page."""
    holder, stranger = Client(), Client()
    holder.force_login(graduate.user)
    uuid, link = graduate.programs[0].uuid, graduate.link.uuid
    records = "/records/api/v1/program_records/"
    for name, client, path in (
        ("GET the list, JSON (old: 4,710 statements)", holder, records),
        ("GET a record, JSON (old: 3,158)", holder, f"{records}{uuid.hex}/"),
        ("GET a link's record, JSON", stranger, f"{records}{link.hex}/?is_public=true"),
        ("GET a link's record, CSV", stranger, f"/records/programs/shared/{link.hex}/csv"),
        ("GET the record's page", holder, f"/programs/{uuid}/"),
        ("GET a link's page", stranger, f"/programs/shared/{link}/"),
        (
            "GET credentials, a page of 20 (old: 84)",
            holder,
            f"/api/v2/credentials/?username={graduate.user.username}",
        ),
    ):
        _compare(name, _reading(client, path), 200, is_held=False)


def _reading(client: Client, path: str) -> Callable[[], int]:
    return lambda: client.get(path).status_code


def _compare(name: str, work: Callable[[], int], wanted: int, *, is_held: bool = True) -> None:
    """Its p50 against that of its own bare statements, by turns."""
    done = {work()}
    with measured(name) as counted, CaptureQueriesContext(connection) as queries:
        done.add(work())
    statements = [query["sql"] for query in queries if query["sql"] not in ("BEGIN", "COMMIT")]
    times, floors = list[float](), list[float]()
    for _read in range(READS):
        # Else throttles would answer.
        cache.clear()
        floors.append(_timed(lambda: _execute(statements)))
        times.append(_timed(lambda: done.add(work())))
    p50, floor = median(times), median(floors)
    print(
        f"  {name:<58} p50 {p50 * 1000:>6.1f} ms bare {floor * 1000:>6.1f} ms"
        f" {p50 / floor:>6.2f} x {counted.statements:>3} statements"
    )
    if done != {wanted}:
        raise SystemExit(f"{name}: {done} instead of {wanted}")
    if counted.statements > MOST_STATEMENTS:
        raise SystemExit(f"{name}: more than {MOST_STATEMENTS} statements")
    if is_held and p50 > MOST_TIMES_THE_FLOOR * floor:
        raise SystemExit(f"{name}: more than {MOST_TIMES_THE_FLOOR} times its bare statements")


def _timed(work: Callable[[], Any]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _execute(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.replace("%", "%%"))
            if cursor.description:
                cursor.fetchall()


# --- Asking --------------------------------------------------------------------------------------


def _measure_requests(program: Program, learners: list[User]) -> None:
    """Each learner asks once, by several processes at once; what was asked is there, and queued."""
    pathway = Pathway.objects.create(name="Credit", org_name="U", email="credit@u.example")
    pathway.programs.add(program)
    shares = [[one.pk for one in learners[n::WORKERS]] for n in range(WORKERS)]
    # A forked process must not share this one's session.
    connections.close_all()
    with get_context("fork").Pool(WORKERS) as pool:
        start = perf_counter()
        asked = sum(pool.starmap(_ask, [(program.uuid, pathway.pk, ids) for ids in shares]))
        seconds = perf_counter() - start
    rate = len(learners) / seconds
    print(
        f"  request_credit, {len(learners):,} learners, {WORKERS} processes: {rate:,.0f} a second"
        f" ({WANTED_PER_SECOND} wanted)"
    )
    requests = UserCreditPathway.objects.filter(pathway=pathway).count()
    links = SharedProgramRecord.objects.filter(credit_request__pathway=pathway).count()
    mails = OutboxMessage.objects.filter(kind="programs.credit_request").count()
    if (asked, requests, links, mails) != (len(learners),) * 4:
        raise SystemExit(f"of {asked} requests {requests} rows, {links} links, {mails} mails")


def _ask(program_uuid: UUID, pathway_id: int, user_ids: list[int]) -> int:
    program = Program.objects.get(uuid=program_uuid)
    users = User.objects.in_bulk(user_ids)
    for user_id in user_ids:
        request_credit(
            user=users[user_id],
            program=program,
            pathway_id=pathway_id,
            source=CreditRequestSource.API,
            by=Attribution(at=timezone.now(), actor=users[user_id], cause="benchmark"),
        )
    connections.close_all()
    return len(user_ids)
