"""What whoever has a link sees of a record, as JSON and as CSV."""

import csv
import io
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from programs.enums import CertificateStatus
from programs.models import (
    CourseCertificate,
    CourseRun,
    Pathway,
    Program,
    SharedProgramRecord,
    SharedRecordViewCount,
)
from programs.services.sharing import revoke_share, rotate_share
from tests.programs.factories import (
    CourseCertificateFactory,
    CourseRunFactory,
    CreditRequestFactory,
    GradeFactory,
    SharedRecordFactory,
    program_requiring,
)
from tests.programs.record_api.conftest import (
    LIST,
    UNKNOWN_HEX,
    Caller,
    client_of,
    csv_path,
    public_path,
)
from tests.programs.record_api.test_reading import EARNED_ROW, MISSING_ROW

DAY = timedelta(days=1)
HEADERS = {"X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}


def without_reason(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("reason")}


def lines_of(response: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(response.content.decode())))


def is_dead(stranger: APIClient, link: SharedProgramRecord) -> bool:
    """Whether all that programs read says that it is not there; and all of it says the same."""
    told = stranger.get(public_path(link))
    codes = {told.status_code, stranger.get(csv_path(link)).status_code}
    assert codes in ({200}, {404})
    if codes == {404}:
        assert told.content == b""
    return codes == {404}


# --- JSON ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_hex", [True, False])
def test_a_link_shows_the_record_and_of_the_learner_the_name_alone(
    stranger: APIClient, link: SharedProgramRecord, pathway: Pathway, is_hex: bool
) -> None:
    written = link.uuid.hex if is_hex else str(link.uuid)

    response = stranger.get(f"{LIST}{written}/?is_public=true")

    assert response.status_code == 200
    answer = response.json()
    assert answer["record"].pop("program")["name"] == "Supply Chain Practice"
    assert answer == {
        "record": {
            "learner": {"full_name": "Ada Lovelace", "username": "", "email": ""},
            "platform_name": "Credentials Portal",
            "grades": [EARNED_ROW, without_reason(MISSING_ROW)],
            "pathways": [],
            "shared_program_record_uuid": link.uuid.hex,
        },
        "is_public": True,
        "uuid": written,
        "records_help_url": "",
    }
    assert {name: response[name] for name in HEADERS} == HEADERS
    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))


@pytest.mark.parametrize(
    ("chosen", "email", "username"),
    [
        ({"show_email": True}, "ada@example.org", ""),
        ({"show_username": True}, "", "ada"),
        ({"of_request": True}, "ada@example.org", "ada"),
    ],
)
def test_a_link_shows_what_was_chosen(
    stranger: APIClient,
    ada: User,
    program: Program,
    chosen: dict[str, bool],
    email: str,
    username: str,
) -> None:
    link = SharedRecordFactory.create(user=ada, program=program, **chosen)

    learner = stranger.get(public_path(link)).json()["record"]["learner"]

    assert learner == {"full_name": "Ada Lovelace", "username": username, "email": email}
    lines = lines_of(stranger.get(csv_path(link)))
    assert lines[4:7] == [
        ["Learner Name", "Ada Lovelace"],
        ["Username", username],
        ["Email", email],
    ]


def test_strangers_are_not_told_why_a_course_does_not_count(
    stranger: APIClient, as_ada: APIClient, link: SharedProgramRecord
) -> None:
    CourseCertificate.objects.update(status=CertificateStatus.REVOKED, revoked_at=timezone.now())

    def reasons(client: APIClient, path: str) -> list[str | None]:
        rows = client.get(path).json()["record"]["grades"]
        return [row.get("reason") for row in rows]

    assert reasons(as_ada, f"{LIST}{link.program.uuid}/") == ["revoked", "no_grade"]
    assert reasons(stranger, public_path(link)) == [None, None]


def test_a_username_does_not_stand_in_for_a_name(
    stranger: APIClient, ada: User, link: SharedProgramRecord
) -> None:
    ada.full_name = ""
    ada.save()

    assert stranger.get(public_path(link)).json()["record"]["learner"]["full_name"] == ""
    assert "ada" not in stranger.get(csv_path(link)).content.decode().lower()


def test_an_institutions_link_does_not_lead_to_the_learners_own(
    stranger: APIClient, ada: User, program: Program, link: SharedProgramRecord
) -> None:
    of_request = CreditRequestFactory.create(user=ada, program=program).shared_record
    assert of_request

    response = stranger.get(public_path(of_request))

    told = response.json()["record"]
    assert told["shared_program_record_uuid"] == of_request.uuid.hex
    assert link.uuid.hex not in response.content.decode()


@pytest.mark.parametrize("written", [UNKNOWN_HEX, "not-a-uuid", "urn:uuid:" + UNKNOWN_HEX])
def test_a_link_that_never_was_is_an_empty_404(stranger: APIClient, written: str) -> None:
    response = stranger.get(f"{LIST}{written}/?is_public=true")

    assert (response.status_code, response.content) == (404, b"")


def test_the_uuid_of_a_program_is_no_link(stranger: APIClient, program: Program) -> None:
    assert stranger.get(f"{LIST}{program.uuid}/?is_public=true").status_code == 404


@pytest.mark.parametrize(
    ("caller", "status"), [("anonymous", 401), ("ada", 403), ("clerk", 403), ("viewer", 200)]
)
def test_a_username_is_for_staff_with_a_link_too(
    as_caller: Caller, link: SharedProgramRecord, caller: str, status: int
) -> None:
    assert as_caller(caller).get(f"{public_path(link)}&username=ada").status_code == status


@pytest.mark.parametrize("word", ["True", "TRUE", "true"])
def test_is_public_is_read_in_any_case(
    stranger: APIClient, link: SharedProgramRecord, word: str
) -> None:
    assert stranger.get(f"{LIST}{link.uuid}/?is_public={word}").json()["is_public"] is True


# --- Dead links ---------------------------------------------------------------------------


def test_a_revoked_link_is_dead_at_once_and_another_is_a_new_one(
    stranger: APIClient, as_ada: APIClient, ada: User, link: SharedProgramRecord
) -> None:
    assert not is_dead(stranger, link)

    revoke_share(link_uuid=link.uuid, by=Attribution(at=timezone.now(), actor=ada))

    assert is_dead(stranger, link)
    shared = as_ada.post(
        f"/records/programs/{link.program.uuid.hex}/share", {"username": "ada"}, format="json"
    )
    assert shared.status_code == 201
    assert link.uuid.hex not in shared.json()["url"]
    assert is_dead(stranger, link)


def test_a_replaced_link_is_dead_at_once(stranger: APIClient, link: SharedProgramRecord) -> None:
    other = rotate_share(link_uuid=link.uuid, by=Attribution(at=timezone.now()))

    assert is_dead(stranger, link)
    assert not is_dead(stranger, other)


def test_an_expired_link_is_dead_without_any_job(
    stranger: APIClient, link: SharedProgramRecord
) -> None:
    link.expires_at = timezone.now() + DAY
    link.save()
    assert not is_dead(stranger, link)

    link.expires_at = timezone.now()
    link.save()

    assert is_dead(stranger, link)


# --- Views ----------------------------------------------------------------------------------


def test_views_are_counted_by_day_and_say_nothing_about_who(
    stranger: APIClient, as_caller: Caller, link: SharedProgramRecord
) -> None:
    stranger.get(public_path(link))
    as_caller("bob").get(public_path(link))
    stranger.get(csv_path(link))

    [counted] = SharedRecordViewCount.objects.all()
    assert (counted.shared_record, counted.views) == (link, 3)
    assert counted.day == counted.last_viewed_at.astimezone(UTC).date()


def test_the_learners_own_looks_are_not_counted(
    stranger: APIClient, as_ada: APIClient, link: SharedProgramRecord
) -> None:
    as_ada.get(public_path(link))
    as_ada.get(csv_path(link))
    stranger.head(public_path(link))
    stranger.head(csv_path(link))

    assert not SharedRecordViewCount.objects.exists()


def test_what_is_dead_is_not_counted(stranger: APIClient, ada: User, program: Program) -> None:
    link = SharedRecordFactory.create(user=ada, program=program, revoked=True)

    assert is_dead(stranger, link)
    assert not SharedRecordViewCount.objects.exists()


# --- CSV --------------------------------------------------------------------------------------


def test_the_csv_has_eight_lines_about_the_record_and_then_its_table(
    stranger: APIClient, link: SharedProgramRecord
) -> None:
    response = stranger.get(csv_path(link))

    assert response.status_code == 200
    assert response.content.decode().split("\r\n") == [
        '"Program Name","Supply Chain Practice"',
        '"Program Type","Micro Masters"',
        '"Platform Provider","Credentials Portal"',
        '"Authoring Organization(s)",""',
        '"Learner Name","Ada Lovelace"',
        '"Username",""',
        '"Email",""',
        '""',
        '"name","school","attempts","course_id","issue_date","percent_grade","letter_grade"',
        '"Supply Chains","","1","course-v1:NBx+SC1+1T2024","2024-05-15T00:00:00+00:00","0.91","A"',
        '"Design","","","","","",""',
        "",
    ]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == (
        'attachment; filename="supply_chain_practice_grades.csv"'
    )
    assert {name: response[name] for name in HEADERS} == HEADERS
    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))


def test_the_csv_of_a_program_without_runs_is_its_heads(stranger: APIClient, ada: User) -> None:
    link = SharedRecordFactory.create(user=ada, program=program_requiring(core=[], title="Empty"))

    assert [line[0] for line in lines_of(stranger.get(csv_path(link)))[7:]] == ["", "name"]


def test_no_cell_is_a_formula(
    stranger: APIClient, ada: User, link: SharedProgramRecord, run: CourseRun
) -> None:
    ada.full_name = '=HYPERLINK("https://evil.example","click")'
    ada.save()
    run.course.title = "+1\r\n@SUM(A1)"
    run.course.save()
    link.program.title = "\t=1+1"
    link.program.type = "-2"
    link.program.save()

    lines = lines_of(stranger.get(csv_path(link)))

    assert lines[0] == ["Program Name", "'\t=1+1"]
    assert lines[1] == ["Program Type", "'-2"]
    assert lines[4] == ["Learner Name", '\'=HYPERLINK("https://evil.example","click")']
    assert lines[9][0] == "'+1\r\n@SUM(A1)"


@pytest.mark.parametrize(
    ("title", "header"),
    [
        (
            'Logistics"; filename="evil.exe\r\nSet-Cookie: a=b',
            'attachment; filename="logistics_filename_evil_exe_set_cookie_a_b_grades.csv"',
        ),
        (
            "Логистика",
            f"attachment; filename*=utf-8''{quote('логистика')}_grades.csv",
        ),
        ("../../etc/passwd", 'attachment; filename="etc_passwd_grades.csv"'),
        ("...", 'attachment; filename="program_grades.csv"'),
        ("x" * 255, f'attachment; filename="{"x" * 100}_grades.csv"'),
    ],
)
def test_a_title_cannot_make_headers(
    stranger: APIClient, link: SharedProgramRecord, title: str, header: str
) -> None:
    link.program.title = title
    link.program.save()

    response = stranger.get(csv_path(link))

    assert response["Content-Disposition"] == header
    assert "Set-Cookie" not in response


def test_the_csv_with_a_slash_is_not_there(stranger: APIClient, link: SharedProgramRecord) -> None:
    assert stranger.get(csv_path(link) + "/").status_code == 404
    assert stranger.get(csv_path(link).replace(link.uuid.hex, str(link.uuid))).status_code == 404


# --- How often, and how much it costs ---------------------------------------------------------


def test_an_address_reads_sixty_times_a_minute_json_and_csv_together(
    stranger: APIClient, as_caller: Caller, link: SharedProgramRecord
) -> None:
    for _ in range(30):
        assert stranger.get(public_path(link)).status_code == 200
        assert stranger.get(csv_path(link)).status_code == 200

    refused = [stranger.get(public_path(link)), stranger.get(csv_path(link))]

    assert [response.status_code for response in refused] == [429, 429]
    assert all(0 < int(response["Retry-After"]) <= 60 for response in refused)
    assert list(refused[0].json()) == ["detail"]
    other = APIClient(REMOTE_ADDR="192.0.2.99")
    assert other.get(public_path(link)).status_code == 200
    assert as_caller("bob").get(csv_path(link)).status_code == 200


@pytest.mark.parametrize("courses", [1, 50])
def test_takes_as_many_statements_whatever_there_is(ada: User, courses: int) -> None:
    runs = CourseRunFactory.create_batch(courses)
    program = program_requiring(core=[run.course for run in runs])
    for run in runs:
        GradeFactory.create(user=ada, course_run=run)
        CourseCertificateFactory.create(user=ada, course_run=run)
    link = SharedRecordFactory.create(user=ada, program=program)

    for client, signed_in in ((APIClient(), 0), (client_of(User.objects.create_user("bob")), 2)):
        for path in (public_path(link), csv_path(link)):
            # The link, the record in two, the view; and the session with its person.
            assert statements(client, path) == 4 + signed_in


def statements(client: APIClient, path: str) -> int:
    """How many, without those of the cache that counts requests: it may be a Redis."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    told = [query["sql"] for query in captured]
    return sum("portal_cache" not in sql and "SAVEPOINT" not in sql for sql in told)
