"""`import_credentials_service`: what the old service knew becomes ours, once."""

import csv
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections, transaction
from django.test import Client

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.history import models_with_history, rows_without_true_history
from credentials_portal.core.models import JobRun, OutboxMessage
from credentials_portal.devcatalog import StandInCatalog
from programs.enums import CertificateSource
from programs.management.commands import import_credentials_service
from programs.models import (
    Course,
    CourseCertificate,
    CourseCertificateConfiguration,
    CourseGrade,
    CourseRun,
    Organization,
    Pathway,
    Program,
    ProgramCertificate,
    ProgramCertificateConfiguration,
    SharedProgramRecord,
    UserCreditPathway,
)
from programs.selectors import record_of
from programs.services.copying import NOTE
from programs.signals import ProgramFact, RunFact
from tests.forks import was_killed
from tests.letters.commands import Ran, run_command
from tests.letters.conftest import (
    Statements,
    statements,  # noqa: F401 - a fixture
)
from tests.letters.test_races import blocks_another, wait_until
from tests.programs import catalogs
from tests.programs.catalogs import uuid_of
from tests.programs.conftest import Announcement
from tests.programs.factories import (
    AT,
    CourseCertificateFactory,
    CourseRunFactory,
    CreditRequestFactory,
    GradeFactory,
    LearnerFactory,
    PathwayFactory,
    ProgramFactory,
    SharedRecordFactory,
)
from tests.standins.catalog import standing_in_catalog  # noqa: F401 - a fixture
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

Cells = dict[str, Any]
Tables = dict[str, list[Cells]]
CREATED, MODIFIED = "2021-03-01 10:00:00.000001", "2021-04-02 11:30:00"
CREATED_AT = datetime(2021, 3, 1, 10, 0, 0, 1, UTC)
MODIFIED_AT = datetime(2021, 4, 2, 11, 30, tzinfo=UTC)
DATES = {"created": CREATED, "modified": MODIFIED}
RUNS = ("course-v1:EX+1+R1", "course-v1:EX+2+R1")


def grade(username: str = "ann", course_run: str = RUNS[0], **cells: Any) -> Cells:
    return {
        "username": username,
        "course_run": course_run,
        "letter_grade": "B",
        "percent_grade": "0.8700",
        "verified": "1",
        "lms_last_updated_at": "2021-03-20 09:00:00",
        **DATES,
    } | cells


def certificate(name: str = "c1", username: str = "ann", **cells: Any) -> Cells:
    """A certificate of a run, unless `program` is given."""
    return {
        "uuid": uuid_of(name).hex,
        "username": username,
        "course_run": "" if cells.get("program") else RUNS[0],
        "mode": "verified",
        "program": "",
        "status": "awarded",
        **DATES,
    } | cells


def link(name: str = "link", username: str = "ann", **cells: Any) -> Cells:
    return {
        "uuid": uuid_of(name).hex,
        "username": username,
        "program": uuid_of("Weaving").hex,
        **DATES,
    } | cells


def request(username: str = "ann", **cells: Any) -> Cells:
    return {
        "username": username,
        "pathway": uuid_of("To a degree").hex,
        "program": uuid_of("Weaving").hex,
        "status": "sent",
        **DATES,
    } | cells


def dump() -> Tables:
    """A small service: one program of two courses, and Ann, who earned it and asked for credit."""
    program = uuid_of("Weaving").hex
    return {
        "organizations": [
            {"uuid": uuid_of("EX").hex, "key": "EX", "name": "EX University"},
        ],
        "courses": [
            {"uuid": uuid_of(key).hex, "key": key, "title": key, "owners": uuid_of("EX").hex}
            for key in ("EX+1", "EX+2")
        ],
        "course_runs": [
            {
                "uuid": uuid_of(key).hex,
                "course": uuid_of(key[10:14]).hex,
                "key": key,
                "title_override": "NULL",
                "start_date": "2021-01-15 00:00:00",
                "end_date": "2021-02-15 00:00:00",
            }
            for key in RUNS
        ],
        "programs": [
            {
                "uuid": program,
                "title": "Weaving",
                "type": "MicroMasters",
                "type_slug": "micromasters",
                "status": "active",
                "total_hours_of_effort": "40",
                "authoring_organizations": uuid_of("EX").hex,
                "course_runs": " ".join(uuid_of(key).hex for key in RUNS),
            }
        ],
        "pathways": [
            {
                "uuid": uuid_of("To a degree").hex,
                "name": "To a degree",
                "org_name": "Institution",
                "email": "registrar@institution.example",
                "pathway_type": "credit",
                "status": "published",
                "programs": program,
            }
        ],
        "users": [
            {
                "username": "ann",
                "email": "Ann@Example.org",
                "full_name": "Ann Weaver",
                "lms_user_id": "7",
            }
        ],
        "course_certificates": [
            {"course_run": key, "certificate_type": "verified", "is_active": "1"} for key in RUNS
        ],
        "program_certificates": [{"program": program, "title": "", "is_active": "true"}],
        "grades": [grade(), grade(course_run=RUNS[1], percent_grade="1.0000", letter_grade="A")],
        "user_credentials": [
            certificate("c1"),
            certificate("c2", course_run=RUNS[1]),
            certificate("p1", program=program),
        ],
        "date_overrides": [{"user_credential": uuid_of("c1").hex, "date": "2021-03-05 00:00:00"}],
        "attributes": [
            {"user_credential": uuid_of("p1").hex, "name": "whitelist", "value": "because"}
        ],
        "program_cert_records": [link()],
        "user_credit_pathways": [
            request(),
            request(program=r"\N", created="2020-02-01 00:00:00", status=""),
        ],
    }


@pytest.fixture
def bring(tmp_path: Path) -> Any:
    """Run the command over a folder with these tables as CSV, or in another form."""
    numbers = count()

    def bring(tables: Tables, *options: object, suffix: str = ".csv") -> Ran:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        for table, rows in tables.items():
            write(folder / f"{table}{suffix}", rows)
        return run_command("import_credentials_service", folder, *options)

    return bring


def write(path: Path, rows: list[Cells]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".json":
            json.dump(rows, file)
        elif path.suffix == ".csv":
            writer = csv.DictWriter(file, list(dict.fromkeys(n for row in rows for n in row)))
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)


def counted(ran: Ran) -> dict[str, dict[str, int]]:
    return {
        table: {outcome: number for outcome, number in counts.items() if number}
        for table, counts in ran.summary.items()
    }


def reasons(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["reason"] for row in csv.DictReader(file) if row["reason"]]


def ann() -> User:
    found: User = User.objects.get(username="ann")
    return found


# --- Everything --------------------------------------------------------------------------------


def test_brings_what_the_old_service_knew(bring: Any) -> None:
    ran = bring(dump())

    learner, program = ann(), Program.objects.get()
    assert (learner.email, learner.full_name, learner.lms_user_id) == (
        "ann@example.org",
        "Ann Weaver",
        7,
    )
    assert not learner.has_usable_password()
    record = record_of(user_id=learner.pk, program_uuid=program.uuid, at=AT)
    assert [(row.percent_grade, row.letter_grade) for row in record.rows] == [
        (Decimal("0.8700"), "B"),
        (Decimal("1.0000"), "A"),
    ]
    assert record.is_completed
    own = SharedProgramRecord.objects.get()
    assert (own.uuid, own.user, own.program) == (uuid_of("link"), learner, program)
    assert own.is_live(AT)
    assert (own.show_email, own.show_username, own.created) == (False, False, CREATED_AT)
    requests = {one.program: one for one in UserCreditPathway.objects.all()}
    assert (requests[program].status, requests[program].sent_at) == ("sent", MODIFIED_AT)
    assert (requests[program].requested_at, requests[program].number) == (CREATED_AT, 1)
    assert (requests[None].status, requests[None].sent_at, requests[None].source) == (
        "other",
        None,
        "import",
    )
    assert ran.code == 0
    assert {table: counts["imported"] for table, counts in ran.summary.items()} == {
        "organizations": 1,
        "courses": 2,
        "course_runs": 2,
        "programs": 1,
        "pathways": 1,
        "users": 1,
        "course_certificates": 2,
        "program_certificates": 1,
        "grades": 2,
        "user_credentials": 3,
        "date_overrides": 1,
        "attributes": 1,
        "program_cert_records": 1,
        "user_credit_pathways": 2,
    }


def test_old_links_still_open(bring: Any, client: Client) -> None:
    bring(dump())
    link_hex = uuid_of("link").hex

    shown = client.get(f"/records/api/v1/program_records/{link_hex}/", {"is_public": "true"})
    table = client.get(f"/records/programs/shared/{link_hex}/csv")

    record = shown.json()["record"]
    assert record["learner"] == {"full_name": "Ann Weaver", "username": "", "email": ""}
    assert [row["percent_grade"] for row in record["grades"]] == [0.87, 1.0]
    assert table.status_code == 200
    assert b"Ann Weaver" in table.content


def test_certificates_keep_their_uuids_dates_and_what_stood_with_them(bring: Any) -> None:
    bring(dump())

    of_run = CourseCertificate.objects.get(uuid=uuid_of("c1"))
    of_program = ProgramCertificate.objects.get(uuid=uuid_of("p1"))
    assert (of_run.source, of_run.mode, of_run.awarded_at) == ("import", "verified", CREATED_AT)
    assert of_run.date_override == datetime(2021, 3, 5, tzinfo=UTC)
    assert of_program.awarded_at == CREATED_AT
    assert of_program.attributes == [{"name": "whitelist", "value": "because"}]
    assert CourseCertificateConfiguration.objects.filter(is_active=True).count() == 2
    assert ProgramCertificateConfiguration.objects.get().is_active
    graded = CourseGrade.objects.get(course_run__key=RUNS[0])
    assert (graded.passed, graded.is_final, graded.modified) == (True, False, MODIFIED_AT)
    assert graded.graded_at == datetime(2021, 3, 20, 9, tzinfo=UTC)


def test_a_second_run_brings_nothing_twice(bring: Any, announced: list[Announcement]) -> None:
    bring(dump())
    announced.clear()
    before = {model: model.history.count() for model in models_with_history()}  # type: ignore[attr-defined]  # each has one

    ran = bring(dump())

    assert {frozenset(counts) for counts in counted(ran).values()} == {frozenset({"unchanged"})}
    assert {model: model.history.count() for model in before} == before  # type: ignore[attr-defined]  # each has one
    assert (ran.code, announced) == (0, [])


def test_a_dry_run_tells_the_same_and_writes_nothing(bring: Any) -> None:
    tables = dump()
    tables["grades"] += [grade("bob"), grade("nobody!"), grade("bob")]
    tables["user_credentials"] += [certificate("c3"), certificate("c3", username="bob")]
    tables["program_cert_records"] += [link("link2"), link("link3", username="Bob")]
    tables["user_credit_pathways"] += [request("bob"), request("bob")]

    rehearsed = bring(tables, "--dry-run")
    assert not User.objects.exists()
    assert not Organization.objects.exists()
    assert not JobRun.objects.exists()

    assert rehearsed.summary == bring(tables).summary


def test_nobody_gets_mail(bring: Any) -> None:
    """Also who asked on the portal before the old certificates came."""
    program = ProgramFactory.create(uuid=uuid_of("Weaving"))
    CreditRequestFactory.create(user=LearnerFactory.create(username="ann"), program=program)

    bring(dump())

    assert ProgramCertificate.objects.filter(user=ann(), program=program).exists()
    assert not OutboxMessage.objects.exists()


def test_tells_the_apps_above_and_keeps_a_history(
    bring: Any, announced: list[Announcement]
) -> None:
    bring(dump())

    runs = CourseRun.objects.order_by("pk").values_list("pk", flat=True)
    facts = tuple(RunFact(ann().pk, run_id) for run_id in runs)
    told = [one for one in announced if one[0] != "program_requirements_changed"]
    assert told == [
        ("course_grade_changed", facts),
        ("course_certificate_awarded", facts),
        ("program_certificate_awarded", (ProgramFact(ann().pk, Program.objects.get().pk),)),
    ]
    assert {rows_without_true_history(model) for model in models_with_history()} == {0}
    causes = set(CourseCertificate.history.values_list("cause", flat=True))
    assert causes == {"command:import_credentials_service"}


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ndjson"])
def test_json_says_the_same(bring: Any, suffix: str) -> None:
    tables = dump()
    tables["users"][0]["lms_user_id"] = 7
    tables["grades"][0] |= {"verified": True, "percent_grade": 0.87, "letter_grade": None}
    tables["programs"][0]["course_runs"] = [str(uuid_of(key)) for key in RUNS]
    tables["user_credit_pathways"][1]["program"] = None

    ran = bring(tables, suffix=suffix)

    assert ran.code == 0
    graded = CourseGrade.objects.get(course_run__key=RUNS[0])
    assert (graded.percent_grade, graded.letter_grade) == (Decimal("0.8700"), "")
    assert Program.objects.get().included_runs.count() == 2
    assert UserCreditPathway.objects.filter(program=None).count() == 1


# --- The catalog -------------------------------------------------------------------------------


def test_programs_ask_for_all_courses_of_their_runs(bring: Any) -> None:
    bring(dump())

    program = Program.objects.get()
    version = program.requirements_versions.get()
    (group,) = version.groups.all()
    assert [member.course.key for member in group.courses.order_by("position")] == ["EX+1", "EX+2"]
    assert (version.note, version.effective_from) == (NOTE, datetime(2021, 1, 15, tzinfo=UTC))
    assert [str(one) for one in program.authoring_organizations.all()] == ["EX University"]


def test_the_catalog_goes_on_from_there(bring: Any, catalog: StandInCatalog) -> None:
    bring(dump())
    courses = [catalogs.course("EX+1"), catalogs.course("EX+2"), catalogs.course("EX+3")]
    catalog.tables |= {
        "organizations": [catalogs.organization("EX")],
        "courses": courses,
        "programs": [catalogs.program("Weaving", *courses)],
    }

    ran = run_command("copy_catalog")

    program = Program.objects.get()
    assert [version.number for version in program.requirements_versions.all()] == [1, 2]
    assert program.included_runs.count() == 3
    assert ran.summary["programs"]["changed"] == 1
    assert ran.summary["course_runs"]["created"] == 1
    # The pathway came with the old service, and the catalog has none.
    assert ran.summary["obsolete"] == {"deleted": 0, "to_delete": 0, "kept": 1}


def test_what_is_here_already_stays_as_it_is(bring: Any) -> None:
    run = CourseRunFactory.create(key=RUNS[0], course__key="EX+1", course__title="Ours")
    program = ProgramFactory.create(uuid=uuid_of("Weaving"), title="Ours")

    ran = bring(dump())

    program.refresh_from_db()
    assert (program.title, Course.objects.get(key="EX+1").title) == ("Ours", "Ours")
    assert counted(ran)["course_runs"] == {"imported": 1, "unchanged": 1}
    # It had neither runs nor requirements.
    assert program.included_runs.order_by("position")[0].course_run == run


def test_of_two_runs_with_one_key_one_stands_for_both(bring: Any, tmp_path: Path) -> None:
    tables = dump()
    twin = tables["course_runs"][0] | {"uuid": uuid_of("twin").hex, "course": uuid_of("EX+2").hex}
    tables["course_runs"].append(twin)
    tables["programs"][0]["course_runs"] += " " + uuid_of("twin").hex

    ran = bring(tables, "--output", tmp_path / "rows.csv")

    assert counted(ran)["course_runs"] == {"imported": 2, "merged": 1}
    assert reasons(tmp_path / "rows.csv") == ["another row has its key, and stands for it"]
    assert Program.objects.get().included_runs.count() == 2


def test_a_pathway_without_its_program_is_told(bring: Any, tmp_path: Path) -> None:
    tables = {"pathways": dump()["pathways"]}

    ran = bring(tables, "--output", tmp_path / "rows.csv")

    assert counted(ran) == {"pathways": {"mended": 1}}
    assert reasons(tmp_path / "rows.csv") == ["1 of its programs are not here"]
    assert Pathway.objects.get().name == "To a degree"


# --- People ------------------------------------------------------------------------------------


def test_learners_of_whom_nothing_else_is_known_are_made_without_a_password(bring: Any) -> None:
    tables = dump()
    del tables["users"]

    bring(tables)

    assert (ann().email, ann().full_name, ann().has_usable_password()) == ("", "", False)


def test_learners_are_found_in_any_case_and_completed(bring: Any) -> None:
    known = LearnerFactory.create(username="Ann", full_name="", email="kept@example.org")

    ran = bring(dump())

    known.refresh_from_db()
    assert (known.username, known.full_name, known.email) == (
        "Ann",
        "Ann Weaver",
        "kept@example.org",
    )
    assert (known.lms_user_id, User.objects.count()) == (7, 1)
    assert CourseGrade.objects.filter(user=known).count() == 2
    assert counted(ran)["users"] == {"mended": 1}
    assert counted(bring(dump()))["users"] == {"unchanged": 1}


def test_who_has_another_username_here_by_now_is_the_same_person(bring: Any) -> None:
    renamed = LearnerFactory.create(username="ann_new", lms_user_id=7)

    ran = bring(dump())

    assert User.objects.count() == 1
    assert CourseGrade.objects.filter(user=renamed).count() == 2
    assert SharedProgramRecord.objects.get().user == renamed
    assert counted(ran)["users"] == {"merged": 1}


def test_a_username_stands_in_the_files_once(bring: Any) -> None:
    tables = {"users": [*dump()["users"], {"username": "ANN", "lms_user_id": "9"}]}

    rehearsed, ran = bring(tables, "--dry-run"), bring(tables)

    assert counted(ran)["users"] == {"imported": 1, "unchanged": 1}
    assert rehearsed.summary == ran.summary
    assert ann().lms_user_id == 7


def test_an_address_of_somebody_else_is_left_out(bring: Any, tmp_path: Path) -> None:
    LearnerFactory.create(username="other", email="ann@example.org")

    bring(dump(), "--output", tmp_path / "rows.csv")

    assert ann().email == ""
    assert reasons(tmp_path / "rows.csv") == ["its address is another account's: left out"]


def test_the_account_of_who_has_left_gets_nothing(bring: Any) -> None:
    left = LearnerFactory.create()
    retire_user(user=left, at=AT, actor=None, reason="asked")
    left.refresh_from_db()
    tables = dump()
    for rows in tables.values():
        for cells in rows:
            if "username" in cells:
                cells["username"] = left.username

    ran = bring(tables)

    assert counted(ran)["users"] == {"rejected": 1}
    assert counted(ran)["grades"] == {"rejected": 2}
    assert (left.full_name, User.objects.get()) == ("", left)
    assert not CourseGrade.objects.exists()
    assert not SharedProgramRecord.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_who_leaves_meanwhile_gets_nothing_back(bring: Any) -> None:
    ProgramFactory.create(uuid=uuid_of("Weaving"))
    for table in ("users", "program_cert_records"):
        left = LearnerFactory.create(username=table, full_name="", email="")
        rows = [cells | {"username": table} for cells in dump()[table]]

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                retire_user(user=left, at=AT, actor=None, reason="asked")
                importing = pool.submit(_elsewhere, bring, {table: rows})
                wait_until(lambda: blocks_another() or importing.done())  # noqa: B023 - used at once
            importing.result()

        left.refresh_from_db()
        assert (left.is_retired, left.full_name, left.email) == (True, "", "")
    assert not SharedProgramRecord.objects.exclude(user__retired_at=None).exists()


def _elsewhere(bring: Any, tables: Tables) -> None:
    try:
        bring(tables)
    finally:
        connections.close_all()


# --- Grades and certificates -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored_at", "percent", "outcome"),
    [
        (datetime(2021, 3, 19, tzinfo=UTC), "0.8700", "mended"),
        (datetime(2021, 3, 20, 9, tzinfo=UTC), "0.5000", "unchanged"),
        (datetime(2021, 3, 21, tzinfo=UTC), "0.5000", "unchanged"),
        (None, "0.5000", "unchanged"),
    ],
)
def test_the_newer_grade_counts(
    bring: Any, stored_at: datetime | None, percent: str, outcome: str
) -> None:
    run = CourseRunFactory.create(key=RUNS[0])
    stored = GradeFactory.create(
        user=LearnerFactory.create(username="ann"),
        course_run=run,
        percent_grade=Decimal("0.5"),
        passed=False,
        lms_last_updated_at=stored_at,
    )

    ran = bring({"grades": [grade()]})

    stored.refresh_from_db()
    assert str(stored.percent_grade) == percent
    assert stored.passed == (outcome == "mended")
    assert stored.is_final
    assert counted(ran)["grades"] == {outcome: 1}


def test_of_two_grades_in_the_files_the_newer_one_counts(bring: Any) -> None:
    CourseRunFactory.create(key=RUNS[0])
    newer = grade("Ann", percent_grade="0.9", lms_last_updated_at="2021-05-01 00:00:00")

    bring({"grades": [grade(), newer]})

    assert str(CourseGrade.objects.get().percent_grade) == "0.9000"


def test_revoked_certificates_stay_revoked(bring: Any, announced: list[Announcement]) -> None:
    tables = dump()
    for cells in tables["user_credentials"]:
        cells["status"] = "revoked"

    bring(tables)

    of_program = ProgramCertificate.objects.get()
    assert (of_program.status, of_program.revoked_at, of_program.revocation_kind) == (
        "revoked",
        MODIFIED_AT,
        "decided",
    )
    assert CourseCertificate.objects.filter(status="revoked", revoked_at=MODIFIED_AT).count() == 2
    assert [name for name, _facts in announced if "awarded" in name] == []


def test_a_certificate_that_is_here_under_another_uuid_stands_for_it(bring: Any) -> None:
    run = CourseRunFactory.create(key=RUNS[0])
    known = CourseCertificateFactory.create(
        course_run=run, user=LearnerFactory.create(username="ann")
    )

    ran = bring({"user_credentials": [certificate()]})

    assert CourseCertificate.objects.get() == known
    assert known.source == CertificateSource.LMS
    assert counted(ran) == {"user_credentials": {"merged": 1}}


def test_dates_and_attributes_that_are_here_stay(bring: Any) -> None:
    tables = dump()
    bring(tables)
    tables["date_overrides"][0]["date"] = "2022-01-01 00:00:00"
    tables["attributes"] = [
        {"user_credential": uuid_of("p1").hex, "name": "whitelist", "value": "another"},
        {"user_credential": uuid_of("p1").hex, "name": "second", "value": ""},
    ]

    ran = bring(tables)

    assert CourseCertificate.objects.get(uuid=uuid_of("c1")).date_override == datetime(
        2021, 3, 5, tzinfo=UTC
    )
    assert ProgramCertificate.objects.get().attributes == [
        {"name": "whitelist", "value": "because"},
        {"name": "second", "value": ""},
    ]
    assert counted(ran)["attributes"] == {"imported": 1, "unchanged": 1}


# --- Links and requests ------------------------------------------------------------------------


def test_a_link_that_was_revoked_here_stays_dead(bring: Any) -> None:
    bring(dump())
    SharedProgramRecord.objects.update(revoked_at=AT, end="revoked")

    ran = bring(dump())

    assert not SharedProgramRecord.objects.get().is_live(AT)
    assert counted(ran)["program_cert_records"] == {"unchanged": 1}


def test_a_link_that_was_made_here_stays_the_learners_only_one(bring: Any, tmp_path: Path) -> None:
    program = ProgramFactory.create(uuid=uuid_of("Weaving"))
    made = SharedRecordFactory.create(user=LearnerFactory.create(username="ann"), program=program)

    ran = bring({"program_cert_records": [link()]}, "--output", tmp_path / "rows.csv")

    assert SharedProgramRecord.objects.get() == made
    assert (ran.code, reasons(tmp_path / "rows.csv")) == (
        1,
        ["the learner has another link to the record"],
    )


def test_requests_are_numbered_after_those_that_are_here(bring: Any) -> None:
    learner = LearnerFactory.create(username="ann")
    program = ProgramFactory.create(uuid=uuid_of("Weaving"))
    pathway = PathwayFactory.create(uuid=uuid_of("To a degree"))
    CreditRequestFactory.create(user=learner, program=program, pathway=pathway, number=1)

    bring(
        {
            "user_credit_pathways": [
                request(created="2021-01-02 00:00:00"),
                request(created="2021-01-01 00:00:00"),
                request(program="NULL"),
            ]
        }
    )

    imported = UserCreditPathway.objects.filter(source="import").order_by("requested_at")
    assert [(one.number, one.program) for one in imported] == [
        (2, program),
        (3, program),
        (1, None),
    ]


def test_no_pathway_but_one_to_credit_takes_requests(bring: Any) -> None:
    tables = dump()
    tables["pathways"][0]["pathway_type"] = "industry"

    ran = bring(tables)

    assert counted(ran)["user_credit_pathways"] == {"rejected": 2}


# --- Files that are wrong ----------------------------------------------------------------------


BAD_ROWS: list[tuple[str, Cells]] = [
    ("organizations", {"uuid": "?"}),
    ("courses", {"key": "with\x00nul"}),
    ("course_runs", {"start_date": "soon"}),
    ("course_runs", {"course": str(UUID(int=1))}),
    ("programs", {"title": "T" * 10_000_000}),
    ("programs", {"total_hours_of_effort": "-1"}),
    ("programs", {"course_runs": "a, b"}),
    ("pathways", {"email": "nobody"}),
    ("users", {"username": "no name"}),
    ("users", {"email": "nobody"}),
    ("users", {"lms_user_id": "9" * 30}),
    ("course_certificates", {"course_run": "unknown"}),
    ("program_certificates", {"program": str(UUID(int=1))}),
    ("program_certificates", {"is_active": "perhaps"}),
    ("grades", {"username": "x" * 200}),
    ("grades", {"percent_grade": "1.01"}),
    ("grades", {"percent_grade": "NaN"}),
    ("grades", {"created": "2999-01-01 00:00:00"}),
    ("grades", {"created": "0001-01-01 00:00:00+14:00"}),
    ("grades", {"lms_last_updated_at": "2199-01-01 00:00:00"}),
    ("grades", {"modified": "2199-01-01 00:00:00"}),
    ("user_credentials", {"status": "lost"}),
    ("user_credentials", {"program": str(UUID(int=1))}),
    ("user_credentials", {"course_run": ""}),
    ("user_credentials", {"mode": "no slug"}),
    ("user_credentials", {"modified": "2199-01-01 00:00:00"}),
    ("date_overrides", {"user_credential": str(UUID(int=1))}),
    ("date_overrides", {"date": ""}),
    ("attributes", {"name": "n" * 300}),
    ("program_cert_records", {"program": ""}),
    ("program_cert_records", {"modified": "2199-01-01 00:00:00"}),
    ("user_credit_pathways", {"modified": "2199-01-01 00:00:00"}),
    ("user_credit_pathways", {"status": "perhaps"}),
    ("user_credit_pathways", {"pathway": str(UUID(int=1))}),
]


def test_bad_rows_hinder_no_others(bring: Any) -> None:
    tables = dump()
    for number, (table, bad) in enumerate(BAD_ROWS):
        good = dump()[table][0]
        others: Cells = {"uuid": str(uuid_of(f"bad{number}"))} if "uuid" in good else {}
        others |= {"username": f"bob{number}"} if "username" in good else {}
        others |= {"email": "", "lms_user_id": ""} if table == "users" else {}
        tables[table].insert(0, good | others | bad)

    ran = bring(tables)

    rejected = {table: counts["rejected"] for table, counts in ran.summary.items()}
    assert rejected == Counter(table for table, _bad in BAD_ROWS)
    assert (ran.code, ran.error) == (1, f"{len(BAD_ROWS)} failed.")
    for table, number in rejected.items():
        for row in range(2, 2 + number):
            assert f"{table}.csv, row {row}: " in ran.stderr
    assert "bob" not in ran.stderr
    assert [user.username for user in User.objects.all()] == ["ann"]
    assert ProgramCertificate.objects.filter(user=ann()).count() == 1
    assert UserCreditPathway.objects.count() == 2


@pytest.mark.parametrize("name", ["gradez.csv", "grades.json", "grades.CSV"])
def test_a_file_that_is_no_table_or_a_second_one_stops_everything(
    tmp_path: Path, name: str
) -> None:
    for table, rows in dump().items():
        write(tmp_path / f"{table}.csv", rows)
    (tmp_path / name).write_text("[]")

    ran = run_command("import_credentials_service", tmp_path)

    assert ran.code == 2
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("grades.csv", b"username,letter_grade\nann,A\n"),
        ("grades.csv", b"username,course_run,created\n\xff,x,y\n"),
        ("grades.csv", b'username,course_run,created\n"ann,x,y\n'),
        ("grades.json", b"{}"),
        ("grades.json", b"[{}, "),
        ("grades.json", b"[17]"),
        ("grades.json", b"[" * 100_000),
        ("grades.jsonl", b'{"username": "ann"}\nnot json\n'),
    ],
)
def test_a_file_that_cannot_be_read_stops_everything(
    tmp_path: Path, name: str, content: bytes
) -> None:
    write(tmp_path / "users.csv", dump()["users"])
    (tmp_path / name).write_bytes(content)

    ran = run_command("import_credentials_service", tmp_path)

    assert ran.code == 2
    assert not User.objects.exists()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert run_command("import_credentials_service", tmp_path).code == 2
    assert run_command("import_credentials_service", tmp_path / "none").code == 2


# --- Sets, and interruptions -------------------------------------------------------------------


def rows_of_learners(prefix: str, size: int) -> Tables:
    names = [f"{prefix}{number}" for number in range(size)]
    return {
        "grades": [grade(name) for name in names],
        "user_credentials": [certificate(f"c-{name}", name) for name in names],
        "date_overrides": [
            {"user_credential": uuid_of(f"c-{name}"), "date": CREATED} for name in names
        ],
        "attributes": [
            {"user_credential": uuid_of(f"c-{name}"), "name": "n", "value": "v"} for name in names
        ],
        "program_cert_records": [link(f"link-{name}", name) for name in names],
        "user_credit_pathways": [request(name) for name in names],
    }


def test_a_page_takes_the_same_statements_whatever_its_rows(
    bring: Any,
    statements: Statements,  # noqa: F811 - the fixture
) -> None:
    bring(dump())
    counts = []
    for prefix, size in (("few", 2), ("many", 200)):
        with statements.counted() as texts:
            bring(rows_of_learners(prefix, size))
        counts.append(len(texts))

    assert counts[0] == counts[1]


def test_many_pages_come_in_few_statements(
    bring: Any,
    statements: Statements,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many pages as 10,000 rows have."""
    monkeypatch.setattr(import_credentials_service, "PAGE", 100)
    bring(dump())
    rows = {"grades": [grade(f"learner{number}") for number in range(1_000)]}

    with statements.counted() as texts:
        ran = bring(rows)

    assert counted(ran) == {"grades": {"imported": 1_000}}
    assert len(texts) < 170


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_killed_anywhere_goes_on(tmp_path: Path) -> None:
    for table, rows in dump().items():
        write(tmp_path / f"{table}.csv", rows)
    kills = 0
    for statement in count(1, 11):
        if not was_killed(statement, lambda: run_command("import_credentials_service", tmp_path)):
            break
        kills += 1

    ran = run_command("import_credentials_service", tmp_path)

    assert kills > 5
    assert ran.code == 0
    assert {frozenset(counts) for counts in counted(ran).values()} == {frozenset({"unchanged"})}
    program = Program.objects.get()
    assert record_of(user_id=ann().pk, program_uuid=program.uuid, at=AT).is_completed
    assert program.requirements_versions.get().groups.get().course_count == 2
    assert (SharedProgramRecord.objects.count(), UserCreditPathway.objects.count()) == (1, 2)
    assert {rows_without_true_history(model) for model in models_with_history()} == {0}
