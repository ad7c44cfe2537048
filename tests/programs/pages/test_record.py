"""A learner's page about a program: what is missing and why, the record, the letter."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from letters.services import LetterRecord, import_letters
from programs.enums import ProgramStatus
from programs.models import CourseCertificateConfiguration, CourseRun, Program
from tests.letters.factories import publish_text
from tests.programs.factories import (
    AT,
    BY,
    CourseCertificateFactory,
    CourseRunFactory,
    CreditRequestFactory,
    GradeFactory,
    OrganizationFactory,
    ProgramEnrollmentFactory,
    ProgramFactory,
    pathway_of,
    program_requiring,
)
from tests.programs.pages.now import earn, learner, program_of, run_of, signed_in, stranger, words

pytestmark = pytest.mark.django_db

UNKNOWN = "0a9f2f1e-5a0c-4c3e-9d43-6f3f5d3f6a11"


def page(program: Program) -> str:
    return f"/programs/{program.uuid}/"


def test_a_met_course_stands_with_its_date_and_grade_and_an_open_one_with_what_to_do() -> None:
    ada, met, open_ = learner(), run_of("Statistics"), run_of("Probability")
    program = program_of(ada, met, open_, title="Data Science")
    earn(ada, met, "0.865")

    said = words(signed_in(ada).get(page(program)))

    assert "You have met 1 of 2 requirements of this program." in said
    assert "Statistics met passed 15 May 2024 with 87 %" in said
    assert "Probability open You have no grade in it yet. Take the course." in said


def test_the_record_stands_as_a_table_with_the_best_attempt() -> None:
    ada = learner(full_name="Ada Lovelace", email="ada@example.org")
    first = run_of("Statistics", key="course-v1:NBx+ST1+2023")
    second = CourseRunFactory.create(course=first.course, key="course-v1:NBx+ST1+2024")
    program = program_of(ada, first, title="Data Science")
    earn(ada, first, "0.7", letter_grade="C")
    earn(ada, second, "0.9449", letter_grade="A")

    table = words(signed_in(ada).get(page(program))).partition("Program record")[2]

    assert "Learner: Ada Lovelace" in table
    assert "Username" in table
    assert "E-mail address ada@example.org" in table
    assert "Status partially completed Courses 1 of 1 earned" in table
    assert "Statistics NBx+ ST1+ 2024 94 % A 2 15 May 2024 earned" in table
    assert "course-v1" not in table


def test_the_id_of_a_course_breaks_between_its_parts() -> None:
    ada, run = learner(), run_of("Statistics", key="course-v1:NBx+<b>ST1</b>+2023")
    program = program_of(ada, run)
    earn(ada, run)

    html = signed_in(ada).get(page(program)).content.decode()

    assert "<bdi>NBx+<wbr>&lt;b&gt;ST1&lt;/b&gt;+<wbr>2023</bdi>" in html


def graded(fields: dict[str, Any]) -> Any:
    return lambda ada, run: GradeFactory.create(user=ada, course_run=run, **fields)


@pytest.mark.parametrize(
    ("give", "told", "row"),
    [
        (lambda *_: None, "You have no grade in it yet. Take the course.", "there is no grade"),
        (
            graded({"failing": True}),
            "Your best grade is 40 %, which is not enough. Take the course again.",
            "it was not passed",
        ),
        (
            graded({"failing": True, "percent_grade": "0.5996"}),
            "Your best grade is 59.96 %, which is not enough.",
            "it was not passed",
        ),
        (
            graded({"unverified": True}),
            "Your grade is not verified. Verify who you are on the course's pages",
            "its grade is not verified",
        ),
        (
            lambda ada, run: CourseCertificateFactory.create(
                user=ada, course_run=run, revoked=True
            ),
            "Your certificate was revoked. Ask the institution why",
            "its certificate was revoked",
        ),
        (
            lambda ada, run: GradeFactory.create(
                user=ada, course_run=CourseRunFactory.create(course=run.course)
            ),
            "You took it in a run that the program does not include.",
            "it was taken in a run that the program does not include",
        ),
    ],
    ids=["nothing", "failed", "nearly", "unverified", "revoked", "excluded"],
)
def test_an_open_course_says_why_and_what_to_do(give: Any, told: str, row: str) -> None:
    ada, run = learner(), run_of("Statistics")
    program = program_of(ada, run, including=[run])
    give(ada, run)

    said = words(signed_in(ada).get(page(program)))

    assert f"Statistics open {told}" in said
    assert f"not earned {row}" in said


def test_a_grade_that_is_not_final_counts_later() -> None:
    ada = learner()
    run = run_of("Statistics", end_date=timezone.now() + timedelta(days=20))
    program = program_of(ada, run)
    GradeFactory.create(user=ada, course_run=run, is_final=False, percent_grade="0.9")

    said = words(signed_in(ada).get(page(program)))

    assert "Your grade is 90 % so far. It counts once it is final" in said


def test_a_certificate_to_come_is_met_already_and_its_row_says_until_when_it_waits() -> None:
    ada, run = learner(), run_of("Statistics")
    program = program_of(ada, run)
    CourseCertificateFactory.create(user=ada, course_run=run)
    CourseCertificateConfiguration.objects.create(
        course_run=run,
        certificate_type="verified",
        is_active=True,
        certificate_available_date=datetime(2100, 3, 3, 12, tzinfo=UTC),
    )

    said = words(signed_in(ada).get(page(program)))

    assert "Statistics met earned 15 May 2024" in said
    assert "not earned its certificate is not available yet: until 3 March 2100" in said


def test_a_set_says_how_many_more_and_what_is_not_needed() -> None:
    ada = learner()
    runs = [run_of(title) for title in ("Ethics", "Law", "History")]
    program = program_requiring(electives=[(1, [run.course for run in runs])])
    ProgramEnrollmentFactory.create(user=ada, program=program)
    browser = signed_in(ada)

    before = words(browser.get(page(program)))
    earn(ada, runs[1])
    after = words(browser.get(page(program)))

    assert "1 of these 3 courses open Pass one more." in before
    assert "1 of these 3 courses met Ethics not needed Law met passed" in after


def test_the_page_says_when_it_was_read() -> None:
    ada = learner(time_zone="UTC")
    program = program_of(ada, run_of("Statistics"))
    before = timezone.now().replace(second=0, microsecond=0)

    said = words(signed_in(ada).get(page(program)))

    told = said.partition("This is what is known at ")[2].removesuffix(" UTC")
    read_at = datetime.strptime(told, "%d %B %Y, %H:%M").replace(tzinfo=UTC)
    assert before <= read_at <= timezone.now()


def test_a_program_without_requirements_or_courses_says_so() -> None:
    ada = learner()
    program = ProgramFactory.create()
    ProgramEnrollmentFactory.create(user=ada, program=program)

    said = words(signed_in(ada).get(page(program)))

    assert "The institution has not said yet what this program asks for." in said
    assert "The program includes no course at the moment." in said


def test_a_course_that_is_not_offered_says_so() -> None:
    ada, offered, not_offered = learner(), run_of("Statistics"), run_of("Probability")
    program = program_of(ada, offered, not_offered, including=[offered])

    said = words(signed_in(ada).get(page(program)))

    assert "Probability open It is not offered in this program at the moment." in said
    assert "Too few of these courses are offered" in said


def test_the_letter_stands_beside_if_there_is_one() -> None:
    ada, run = learner(), run_of("Statistics")
    program = program_of(ada, run, title="Data Science")
    other = program_of(ada, run_of("Law"), title="Law")
    publish_text(program)
    browser = signed_in(ada)

    before = words(browser.get(page(program)))
    record = LetterRecord(uuid4(), ada.username, str(program.uuid), True, AT)
    import_letters([(1, record)], by=BY)

    assert "Your letter" not in before
    assert "Your letter Data Science valid issued 1 June 2025" in words(browser.get(page(program)))
    assert "Your letter" not in words(browser.get(page(other)))


def test_credit_can_be_asked_for_only_where_a_pathway_takes_the_program() -> None:
    ada, run = learner(), run_of("Statistics")
    program = program_of(ada, run)
    pathway_of(program, retired=True)
    browser = signed_in(ada)

    before = browser.get(page(program)).content.decode()
    pathway = pathway_of(program, name="MSc", org_name="Northbridge")
    CreditRequestFactory.create(user=ada, program=program, pathway=pathway)
    after = browser.get(page(program))

    assert "credit" not in before
    assert f'href="/programs/{program.uuid}/credit/"' in after.content.decode()
    assert "Northbridge MSc asked on 1 June 2025" in words(after)


def test_a_retired_program_keeps_its_record() -> None:
    ada, run = learner(), run_of("Statistics")
    program = program_of(ada, run, status=ProgramStatus.RETIRED)
    earn(ada, run)

    assert signed_in(ada).get(page(program)).status_code == 200


def test_only_the_learner_reads_it() -> None:
    ada, run = learner(), run_of("Statistics")
    program = program_of(ada, run, title="Data Science")
    earn(ada, run)
    staff = learner(is_staff=True, is_superuser=True)

    anonymous = stranger().get(page(program))

    assert (anonymous.status_code, anonymous["Location"]) == (
        302,
        f"/accounts/login/?next={page(program)}",
    )
    for other in (learner(), staff):
        for query in ("", f"?username={ada.username}"):
            refused = signed_in(other).get(page(program) + query)
            assert refused.status_code == 404
            assert "Data Science" not in refused.content.decode()


@pytest.mark.parametrize("path", [f"/programs/{UNKNOWN}/", "/programs/7/", "/programs/x'--/"])
def test_an_unknown_program_is_not_found(path: str) -> None:
    assert signed_in(learner()).get(path).status_code == 404


def test_nobody_on_the_way_keeps_it() -> None:
    ada = learner()
    program = program_of(ada, run_of("Statistics"))

    assert "no-store" in signed_in(ada).get(page(program))["Cache-Control"]


def test_names_are_text_whatever_they_hold() -> None:
    ada = learner(full_name='<script>alert("x")</script>' + "W" * 170)
    run = run_of("علم <b>البيانات</b>")
    program = program_of(ada, run, title="<img src=x onerror=alert(1)>")
    program.authoring_organizations.add(OrganizationFactory.create(name="<i>Northbridge</i>"))
    earn(ada, run)

    html = signed_in(ada).get(page(program)).content.decode()

    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "<i>North" not in html
    assert "<bdi>علم &lt;b&gt;البيانات&lt;/b&gt;</bdi>" in html
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in html


def test_dates_are_in_the_readers_zone() -> None:
    ada = learner(time_zone="Pacific/Auckland")
    run = run_of("Statistics")
    program = program_of(ada, run)
    GradeFactory.create(user=ada, course_run=run, graded_at=datetime(2024, 5, 1, 20, tzinfo=UTC))

    assert "passed 2 May 2024" in words(signed_in(ada).get(page(program)))


def test_eight_statements_whatever_there_is() -> None:
    def statements(courses: int) -> int:
        ada = learner()
        runs: list[CourseRun] = [run_of(f"Course {number}") for number in range(courses)]
        program = program_of(ada, *runs)
        publish_text(program)
        for run in runs:
            earn(ada, run)
            pathway = pathway_of(program)
            CreditRequestFactory.create(user=ada, program=program, pathway=pathway)
        record = LetterRecord(uuid4(), ada.username, str(program.uuid), True, AT)
        import_letters([(1, record)], by=BY)
        browser = signed_in(ada)
        with CaptureQueriesContext(connection) as queries:
            response = browser.get(page(program))
        assert f"{courses} of {courses} earned" in words(response)
        return len(queries)

    assert [statements(1), statements(50)] == [8, 8]


def test_the_csv_is_the_learners_own_record() -> None:
    ada = learner(full_name="=cmd()", email="ada@example.org")
    run = run_of("Statistics", key="course-v1:NBx+ST1+2024")
    program = program_of(ada, run, title="Data Science")
    earn(ada, run, "0.87")

    response = signed_in(ada).get(f"{page(program)}record.csv")

    rows = list(csv.reader(StringIO(response.content.decode())))
    assert rows[4] == ["Learner Name", "'=cmd()"]
    assert rows[-1][:4] == ["Statistics", "", "1", "course-v1:NBx+ST1+2024"]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="data_science_grades.csv"'
    assert "no-store" in response["Cache-Control"]


def test_the_csv_is_nobody_elses() -> None:
    ada, run = learner(), run_of("Statistics")
    program = program_of(ada, run)
    earn(ada, run)
    path = f"{page(program)}record.csv"

    assert stranger().get(path).status_code == 302
    assert signed_in(learner(is_staff=True, is_superuser=True)).get(path).status_code == 404


def test_home_leads_to_the_record() -> None:
    ada = learner()
    program = program_of(ada, run_of("Statistics"))

    assert f'<a href="{page(program)}">' in signed_in(ada).get("/").content.decode()
