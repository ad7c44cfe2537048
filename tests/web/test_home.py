import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from credentials_portal.web.home import home_of
from letters.enums import RunKind
from letters.services import (
    LetterRecord,
    import_letters,
    issue_letters,
    new_run,
    release_run,
    revoke_letter,
)
from programs.enums import ProgramStatus
from programs.models import Course, Program
from tests.letters.factories import publish_text
from tests.programs.factories import (
    AT,
    BY,
    CourseCertificateFactory,
    CourseFactory,
    CourseRunFactory,
    CreditRequestFactory,
    GradeFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    ProgramEnrollmentFactory,
    pathway_of,
    program_requiring,
)

pytestmark = pytest.mark.django_db

WITHDRAWN_AT = datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def learner() -> User:
    learner: User = LearnerFactory.create()
    return learner


def courses(*titles: str) -> list[Course]:
    """Courses with one ended run each."""
    return [CourseRunFactory.create(course=CourseFactory.create(title=t)).course for t in titles]


def passed(learner: User, *which: Course) -> None:
    for course in which:
        GradeFactory.create(user=learner, course_run=course.course_runs.get())


def give_letter(
    learner: User, program: Program, *, issued_at: datetime = AT, is_active: bool = True
) -> UUID:
    uuid = uuid4()
    record = LetterRecord(uuid, learner.username, str(program.uuid), is_active, issued_at)
    assert import_letters([(1, record)], by=BY).imported == 1
    return uuid


def home_page(client: Client, learner: User) -> str:
    """What the page says, with one blank between words."""
    client.force_login(learner)
    html = client.get("/").content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition("<main")[2]).split())


def program_with(learner: User, *, title: str, core: Sequence[Course] = ()) -> Program:
    program = program_requiring(core=core, title=title)
    publish_text(program)
    ProgramEnrollmentFactory.create(user=learner, program=program)
    return program


def test_tells_what_is_missing_and_what_comes_next(client: Client, learner: User) -> None:
    core, electives = courses("Probability", "Statistics"), courses("Ethics", "Law", "History")
    program = program_requiring(core=core, electives=[(2, electives)], title="Data")
    ProgramEnrollmentFactory.create(user=learner, program=program)
    passed(learner, core[0], electives[1])

    page = home_page(client, learner)

    assert "Data 1 of 3 requirements met" in page
    assert "Next: pass Statistics" in page
    assert "Still missing after that: pass one more of: Ethics, History" in page


def test_a_set_that_needs_several_says_how_many(client: Client, learner: User) -> None:
    electives = courses("Ethics", "Law", "History")
    program = program_requiring(electives=[(2, electives)], title="Data")
    ProgramEnrollmentFactory.create(user=learner, program=program)

    page = home_page(client, learner)

    assert "0 of 1 requirement met" in page
    assert "Next: pass 2 more of: Ethics, Law, History" in page
    assert "after that" not in page


def test_a_completed_program_without_a_letter_asks_for_nothing(
    client: Client, learner: User
) -> None:
    [course] = courses("Probability")
    program_with(learner, title="Data", core=[course])
    passed(learner, course)

    page = home_page(client, learner)

    assert "1 of 1 requirement met" in page
    assert "The institution issues your letter: nothing is needed from you." in page
    assert "You have no letter yet." in page
    assert "Nothing needs you now." in page


def test_a_program_without_requirements_says_so(client: Client, learner: User) -> None:
    program_with(learner, title="Not yet")

    page = home_page(client, learner)

    assert "The institution has not said yet what this program asks for." in page
    assert "met" not in page.partition("Your letters")[0].partition("Your programs")[2]


def test_a_program_that_nobody_can_complete_says_so(client: Client, learner: User) -> None:
    offered, not_offered = courses("Offered", "Not offered")
    program = program_requiring(
        core=[offered, not_offered], including=offered.course_runs.all(), title="Data"
    )
    ProgramEnrollmentFactory.create(user=learner, program=program)

    assert "Too few of these courses are offered" in home_page(client, learner)


@pytest.mark.parametrize(
    ("status", "is_shown"),
    [
        (ProgramStatus.ACTIVE, True),
        (ProgramStatus.RETIRED, True),
        (ProgramStatus.UNPUBLISHED, False),
        (ProgramStatus.DELETED, False),
    ],
)
def test_shows_programs_that_are_or_were_offered(
    client: Client, learner: User, status: ProgramStatus, is_shown: bool
) -> None:
    program = program_with(learner, title="Data", core=courses("Probability"))
    Program.objects.filter(pk=program.pk).update(status=status)

    assert ("Probability" in home_page(client, learner)) is is_shown


def test_a_genuine_letter_is_valid_with_date_and_id(client: Client, learner: User) -> None:
    [course] = courses("Probability")
    program = program_with(learner, title="Data", core=[course])
    passed(learner, course)
    uuid = give_letter(learner, program, issued_at=datetime(2025, 5, 3, 9, tzinfo=UTC))

    page = home_page(client, learner)

    assert "Data valid issued 3 May 2025 Nobody else has opened it yet. Open the letter" in page
    assert f"Letter id {uuid}" in page
    assert "You have completed this program. Your letter" in page


def test_a_letters_date_is_the_one_that_it_prints_wherever_it_is_read(
    client: Client, learner: User
) -> None:
    learner.time_zone = "Pacific/Auckland"
    learner.save()
    program = program_with(learner, title="Data", core=courses("Probability"))
    give_letter(learner, program, issued_at=datetime(2025, 5, 3, 20, tzinfo=UTC))

    assert "issued 3 May 2025" in home_page(client, learner)


def test_other_dates_are_in_the_readers_zone(client: Client, learner: User) -> None:
    learner.time_zone = "Pacific/Auckland"
    learner.save()
    program = program_with(learner, title="Data", core=courses("Probability"))
    uuid = give_letter(learner, program)
    by = Attribution(at=datetime(2025, 7, 1, 20, tzinfo=UTC), reason="Misconduct.")
    revoke_letter(letter_uuid=uuid, by=by)

    assert "Data withdrawn on 2 July 2025" in home_page(client, learner)


def test_a_letter_without_a_text_is_being_prepared(client: Client, learner: User) -> None:
    program = program_requiring(core=courses("Probability"), title="Data")
    give_letter(learner, program)

    page = home_page(client, learner)

    assert "Data being prepared It is yours and valid" in page
    assert "Nothing needs you now." in page


def test_a_suspended_letter_waits_and_tells_why(client: Client, learner: User) -> None:
    program = program_with(learner, title="Data", core=courses("Probability"))
    give_letter(learner, program, is_active=False)

    page = home_page(client, learner)

    assert "Your letter for Data is not valid at the moment. What that means" in page
    assert "Data not valid at the moment since 1 June 2025" in page
    assert "The records say: it came switched off from another system." in page
    assert "imported_inactive" not in page


def test_a_revoked_letter_tells_no_reason(client: Client, learner: User) -> None:
    program = program_with(learner, title="Data", core=courses("Probability"))
    uuid = give_letter(learner, program)
    by = Attribution(at=WITHDRAWN_AT, reason="Misconduct in the exam.", cause="test")
    revoke_letter(letter_uuid=uuid, by=by)

    page = home_page(client, learner)

    assert "Data withdrawn on 1 July 2025 The institution has withdrawn this letter." in page
    assert "Misconduct" not in page
    assert "Nothing needs you now." in page


@pytest.mark.parametrize(("days", "is_news"), [(29, True), (30, False)])
def test_a_new_letter_is_news_for_thirty_days(learner: User, days: int, is_news: bool) -> None:
    program = program_with(learner, title="Data", core=courses("Probability"))
    give_letter(learner, program, issued_at=AT - timedelta(days=days))

    assert bool(home_of(learner, at=AT).waiting) is is_news


def test_a_letter_held_for_staff_is_not_shown_before_its_release(
    client: Client, learner: User
) -> None:
    [course] = courses("Probability")
    program = program_with(learner, title="Data", core=[course])
    passed(learner, course)
    run = new_run(RunKind.ISSUE, by=BY)
    issue_letters(program_id=program.pk, user_ids=[learner.pk], run=run, by=BY)

    before = home_page(client, learner)
    release_run(run=run, by=BY)
    after = home_page(client, learner)

    assert "You have no letter yet." in before
    assert "Data valid issued 1 June 2025" in after


def test_what_became_of_requests_for_credit_waits(client: Client, learner: User) -> None:
    now = timezone.now()
    [course] = courses("Probability")
    program = program_with(learner, title="Data", core=[course])
    CourseCertificateFactory.create(user=learner, course_run=course.course_runs.get())
    ProgramCertificateFactory.create(user=learner, program=program, awarded_at=now)
    pathways = [pathway_of(program, org_name=name) for name in ("North", "South", "East", "West")]
    fates: list[dict[str, Any]] = [
        {"answer": "granted", "answered_at": now, "was_completed": True},
        {"answer": "refused", "answered_at": now, "was_completed": True},
        {"failed": True},
        {},
    ]
    asked = [
        CreditRequestFactory.create(
            user=learner, program=program, pathway=pathway, requested_at=now, **fate
        )
        for pathway, fate in zip(pathways, fates, strict=True)
    ]

    page = home_page(client, learner)

    assert "North has granted you credit. See the answer" in page
    assert "South has refused you credit. See the answer" in page
    assert "Your request for credit could not be sent to East . What you can do" in page
    assert "You have completed Data since you asked West for credit." in page
    html = client.get("/").content.decode()
    assert f'href="/credit-requests/{asked[0].uuid}/"' in html
    assert f'href="/programs/{program.uuid}/credit/?pathway={pathways[3].pk}"' in html


def test_shows_nothing_of_others(client: Client, learner: User) -> None:
    program = program_requiring(core=courses("Probability"), title="Data")
    other = ProgramEnrollmentFactory.create(program=program).user
    give_letter(other, program)

    page = home_page(client, learner)

    assert "Data" not in page
    assert "You are in no program yet." in page
    assert "You have no letter yet." in page


def test_titles_are_text_in_any_script(client: Client, learner: User) -> None:
    program_with(learner, title="علم <b>البيانات</b>", core=courses("a & b"))
    client.force_login(learner)

    html = client.get("/").content.decode()

    assert "<bdi>علم &lt;b&gt;البيانات&lt;/b&gt;</bdi>" in html
    assert "<bdi>a &amp; b</bdi>" in html


def test_statements_do_not_grow_with_programs_and_letters(client: Client, learner: User) -> None:
    client.force_login(learner)
    client.get("/")

    def grow_to(total: int) -> int:
        while learner.program_enrollments.count() < total:
            number = learner.program_enrollments.count()
            core = courses(f"First {number}", f"Second {number}")
            program = program_with(learner, title=f"Program no. {number}", core=core)
            passed(learner, core[0])
            give_letter(learner, program, is_active=number % 2 == 0)
        with CaptureQueriesContext(connection) as queries:
            html = client.get("/").content.decode()
        assert html.count("<article") == 2 * total
        return len(queries)

    assert grow_to(1) == grow_to(20)
