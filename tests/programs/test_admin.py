from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from credentials_portal.accounts.models import User
from credentials_portal.core.history import rows_without_true_history
from programs.enums import CertificateSource, CertificateStatus
from programs.models import (
    Course,
    CourseCertificate,
    CourseCertificateConfiguration,
    CourseEnrollment,
    CourseGrade,
    CourseMode,
    CourseRun,
    Organization,
    Program,
    ProgramCertificate,
    ProgramCertificateConfiguration,
    ProgramEnrollment,
)
from programs.services import GradeRecord, define_requirements, record_grades, requirements_of
from programs.signals import ProgramChange, ProgramFact, RunFact
from tests.programs.conftest import Announcement
from tests.programs.factories import (
    AT,
    BY,
    RUN_ENDS,
    CourseCertificateFactory,
    CourseEnrollmentFactory,
    CourseFactory,
    CourseRunFactory,
    GradeFactory,
    LearnerFactory,
    OrganizationFactory,
    ProgramCertificateFactory,
    ProgramEnrollmentFactory,
    ProgramFactory,
    program_requiring,
)

pytestmark = pytest.mark.django_db

EDITED = [Organization, Course, CourseRun, Program]
CONFIGURED = [CourseCertificateConfiguration, ProgramCertificateConfiguration]
EARNED: list[Any] = [
    (CourseGrade, GradeFactory),
    (CourseCertificate, CourseCertificateFactory),
    (ProgramCertificate, ProgramCertificateFactory),
    (CourseEnrollment, CourseEnrollmentFactory),
    (ProgramEnrollment, ProgramEnrollmentFactory),
]
CATALOG: list[Any] = [
    (Organization, OrganizationFactory),
    (Course, CourseFactory),
    (CourseRun, CourseRunFactory),
    (Program, ProgramFactory),
]


def page_of(model: type[models.Model], page: str, *args: object) -> str:
    return reverse(f"admin:programs_{model._meta.model_name}_{page}", args=args)


def staff(client: Client, *codenames: str) -> User:
    person: User = User.objects.create_user("registrar", is_staff=True)
    permissions = Permission.objects.filter(codename__in=codenames)
    person.user_permissions.set(permissions.filter(content_type__app_label="programs"))
    client.force_login(person)
    return person


@pytest.fixture
def registrar(client: Client) -> User:
    """Signed in, with all permissions of this app."""
    person: User = User.objects.create_user("registrar", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(content_type__app_label="programs"))
    client.force_login(person)
    return person


def last_history(row: models.Model) -> tuple[str, str | None, str, int | None]:
    manager: Any = row
    latest = manager.history.order_by("history_id").last()
    return (
        latest.history_type,
        latest.history_change_reason,
        latest.cause,
        latest.history_user_id,
    )


# --- Who may ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [model for model, _factory in [*CATALOG, *EARNED]] + CONFIGURED)
def test_lists_are_for_staff_with_the_permission(client: Client, model: type[models.Model]) -> None:
    url = page_of(model, "changelist")

    anonymous = client.get(url)
    client.force_login(LearnerFactory.create())
    learner = client.get(url)
    staff(client)
    without = client.get(url)
    client.logout()
    User.objects.all().delete()
    staff(client, f"view_{model._meta.model_name}")
    with_it = client.get(url)

    assert [response.status_code for response in (anonymous, learner, without, with_it)] == [
        302,
        302,
        403,
        200,
    ]


@pytest.mark.parametrize(("model", "factory"), [*CATALOG, *EARNED])
def test_nothing_is_changed_by_who_may_only_look(
    client: Client, model: type[models.Model], factory: Any
) -> None:
    row = factory.create()
    staff(client, f"view_{model._meta.model_name}")

    shown = client.get(page_of(model, "change", row.pk))
    changed = client.post(page_of(model, "change", row.pk), {"reason": "x"})
    deleted = client.post(page_of(model, "delete", row.pk), {"reason": "x", "post": "yes"})
    added = client.get(page_of(model, "add"))

    assert [response.status_code for response in (shown, changed, deleted, added)] == [
        200,
        403,
        403,
        403,
    ]
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("page", ["define_requirements", "include_runs"])
def test_pages_of_a_program_need_the_permission_to_change_it(client: Client, page: str) -> None:
    url = page_of(Program, page, ProgramFactory.create().pk)

    anonymous = client.get(url)
    staff(client, "view_program")
    without = client.get(url)

    assert (anonymous.status_code, without.status_code) == (302, 403)


@pytest.mark.parametrize("page", ["define_requirements", "include_runs"])
def test_pages_of_an_unknown_program_are_not_found(
    client: Client, registrar: User, page: str
) -> None:
    assert client.get(page_of(Program, page, 0)).status_code == 404
    assert client.get(page_of(Program, page, "junk")).status_code == 404


@pytest.mark.parametrize(
    ("model", "factory", "action"),
    [
        (CourseGrade, GradeFactory, "delete_grades"),
        (CourseCertificate, CourseCertificateFactory, "revoke"),
        (CourseCertificate, CourseCertificateFactory, "award"),
        (ProgramCertificate, ProgramCertificateFactory, "revoke"),
    ],
)
def test_actions_need_their_permission(
    client: Client, model: type[models.Model], factory: Any, action: str
) -> None:
    row = factory.create()
    before = model._default_manager.filter(pk=row.pk).values().get()
    staff(client, f"view_{model._meta.model_name}")

    act(client, model, action, [row], reason="x")

    assert model._default_manager.filter(pk=row.pk).values().get() == before


# --- Lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "factory"), [*CATALOG, *EARNED])
def test_a_list_takes_as_many_statements_for_twenty_rows_as_for_one(
    client: Client, registrar: User, model: type[models.Model], factory: Any
) -> None:
    url = page_of(model, "changelist")
    counts = []
    for rows in (1, 19):
        factory.create_batch(rows)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url).status_code == 200
        counts.append(len(captured))

    assert counts[0] == counts[1]


@pytest.mark.parametrize(("model", "factory"), EARNED)
def test_rows_of_learners_are_found_by_whole_names_only(
    client: Client, registrar: User, model: type[models.Model], factory: Any
) -> None:
    row, _other = factory.create_batch(2)
    thing = row.program.title if hasattr(row, "program") else row.course_run.key

    found = {
        term: client.get(page_of(model, "changelist"), {"q": term}).context["cl"].result_count
        for term in (row.user.username, row.user.email.upper(), thing, row.user.username[:-1])
    }

    assert list(found.values()) == [1, 1, 1, 0]


@pytest.mark.parametrize(("model", "factory"), [*CATALOG, *EARNED])
def test_history_is_shown(
    client: Client, registrar: User, model: type[models.Model], factory: Any
) -> None:
    row = factory.create()

    response = client.get(page_of(model, "history", row.pk))

    assert response.status_code == 200


@pytest.mark.parametrize(("model", "factory"), EARNED)
def test_the_past_of_what_was_earned_cannot_be_brought_back(
    client: Client, registrar: User, model: type[models.Model], factory: Any
) -> None:
    row = factory.create()
    past: Any = row
    url = page_of(model, "simple_history", row.pk, past.history.get().pk)
    before = model._default_manager.filter(pk=row.pk).values().get()

    shown = client.get(url)
    refused = client.post(url, {"reason": "x", "percent_grade": "0.1"})

    assert (shown.status_code, refused.status_code) == (200, 403)
    assert model._default_manager.filter(pk=row.pk).values().get() == before


# --- Catalog ---------------------------------------------------------------------------------------

NO_ROWS = {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0", "MIN_NUM_FORMS": "0", "MAX_NUM_FORMS": "0"}


def inline(prefix: str, *rows: dict[str, object], initial: int = 0) -> dict[str, object]:
    form: dict[str, object] = {f"{prefix}-{name}": value for name, value in NO_ROWS.items()}
    form |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        form |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return form


def test_a_course_is_saved_with_its_owners_and_who_did_it(client: Client, registrar: User) -> None:
    owner = OrganizationFactory.create()
    owners = inline("courseowner_set", {"organization": owner.pk, "position": 0})

    client.post(page_of(Course, "add"), {"key": "Org+C", "title": "Looms", **owners})

    course = Course.objects.get()
    assert (course.key, list(course.owners.all())) == ("Org+C", [owner])
    assert last_history(course) == ("+", None, "admin", registrar.pk)
    assert rows_without_true_history(Course) == 0


def test_the_key_of_a_course_names_its_checks_and_stays(client: Client, registrar: User) -> None:
    course = CourseFactory.create(key="Org+C")
    form = {"key": "Org+D", "title": "Looms", **inline("courseowner_set")}

    client.post(page_of(Course, "change", course.pk), form)

    course.refresh_from_db()
    assert (course.key, course.title) == ("Org+C", "Looms")


def test_modes_of_a_run_are_added_and_taken_away_with_history(
    client: Client, registrar: User
) -> None:
    run = CourseRunFactory.create()
    form = {"key": run.key, "course": run.course_id, "passing_grade": "0.7"}
    url = page_of(CourseRun, "change", run.pk)

    client.post(url, form | inline("modes", {"slug": "verified"}))
    mode = CourseMode.objects.get()
    client.post(
        url,
        form
        | inline(
            "modes",
            {"slug": "verified", "id": mode.pk, "course_run": run.pk, "DELETE": "on"},
            initial=1,
        ),
    )

    run.refresh_from_db()
    assert run.passing_grade == Decimal("0.7")
    assert not run.modes.exists()
    assert list(
        CourseMode.history.order_by("history_id").values_list(
            "history_type", "cause", "history_user"
        )
    ) == [("+", "admin", registrar.pk), ("-", "admin", registrar.pk)]


@pytest.mark.parametrize(
    ("fields", "is_announced"),
    [
        ({}, False),
        ({"passing_grade": "0.7", "title_override": "Looms"}, False),
        ({"end_date_0": "2024-05-16"}, True),
        ({"end_date_0": "", "end_date_1": ""}, True),
        ({"course": "another"}, True),
    ],
    ids=["nothing", "a title", "its end", "no end", "its course"],
)
@pytest.mark.parametrize("page", ["change", "simple_history"])
def test_a_run_that_may_change_who_is_complete_is_announced(
    client: Client,
    registrar: User,
    announced: list[Announcement],
    fields: dict[str, object],
    is_announced: bool,
    page: str,
) -> None:
    run = CourseRunFactory.create()
    programs = [program_requiring(core=[run.course]) for _number in range(2)]
    program_requiring(core=[CourseRunFactory.create().course])
    form = {
        "key": run.key,
        "course": run.course_id,
        "end_date_0": "2024-05-15",
        "end_date_1": "00:00:00",
        "passing_grade": "0.6",
        **inline("modes"),
    }
    if "course" in fields:
        fields = {"course": CourseFactory.create().pk}
    past: list[int] = [CourseRun.history.get(id=run.pk).pk] if page == "simple_history" else []
    announced.clear()

    response = client.post(page_of(CourseRun, page, run.pk, *past), form | fields)

    assert response.status_code == 302
    items = tuple(ProgramChange(program.pk) for program in programs)
    assert announced == [("program_requirements_changed", items)] * is_announced
    assert last_history(run) == ("~", None, "admin", registrar.pk)


# --- Requirements ----------------------------------------------------------------------------------


@pytest.fixture
def runs() -> list[CourseRun]:
    return CourseRunFactory.create_batch(3)


@pytest.fixture
def program(runs: list[CourseRun]) -> Program:
    """Requires the first of three courses and includes all their runs."""
    return program_requiring(core=[runs[0].course], including=runs)


def group(*courses: Course, title: str = "", required: int | str = "") -> dict[str, object]:
    keys = "\n".join(course.key for course in courses)
    return {"title": title, "required_number": required, "courses": keys}


def requirements_form(
    client: Client, program: Program, *groups: dict[str, object]
) -> dict[str, object]:
    page = client.get(page_of(Program, "define_requirements", program.pk))
    seen = page.context["form"]["seen"].value()
    return {"seen": seen, "reason": "the senate decided", **inline("groups", *groups)}


def test_a_program_shows_its_runs_and_all_versions_of_its_requirements(
    client: Client, registrar: User, runs: list[CourseRun], program: Program
) -> None:
    define_requirements(program=program, groups=[], by=BY, note="closed for now")

    page = client.get(page_of(Program, "change", program.pk)).content.decode()

    assert "Version 2" in page
    assert "closed for now" in page
    assert "Version 1" in page
    assert "core: all of its courses: 1 of 1" in page
    assert all(run.key in page for run in runs)


def test_statements_of_a_programs_page_do_not_grow_with_its_versions(
    client: Client, registrar: User, program: Program
) -> None:
    url = page_of(Program, "change", program.pk)
    client.get(url)
    counts = []
    for versions in (1, 5):
        for number in range(versions):
            groups = [] if number % 2 else requirements_of(program.requirements_versions.all()[0])
            define_requirements(program=program, groups=groups, by=BY)
        with CaptureQueriesContext(connection) as captured:
            client.get(url)
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_the_difference_and_whom_it_concerns_are_shown_before_anything_changes(
    client: Client,
    registrar: User,
    runs: list[CourseRun],
    program: Program,
    announced: list[Announcement],
) -> None:
    for passed in ([runs[0]], [runs[0], runs[1]], [runs[1]]):
        learner = LearnerFactory.create()
        for run in passed:
            GradeFactory.create(user=learner, course_run=run)
    form = requirements_form(client, program, group(runs[0].course, runs[1].course), group())
    announced.clear()

    response = client.post(page_of(Program, "define_requirements", program.pk), form)

    preview = response.context["preview"]
    assert (preview.before, preview.after, preview.gained, preview.lost) == (2, 1, 0, 1)
    assert f"+     {runs[1].course.key} {runs[1].course.title}" in response.context["difference"]
    assert "Complete now: 2. Complete then: 1 (0 more, 1 no longer)." in response.content.decode()
    assert program.requirements_versions.count() == 1


def test_confirmed_requirements_make_the_next_version(
    client: Client,
    registrar: User,
    runs: list[CourseRun],
    program: Program,
    announced: list[Announcement],
) -> None:
    form = requirements_form(
        client,
        program,
        group(runs[0].course),
        group(runs[2].course, runs[1].course, title="Electives", required=1),
    )
    announced.clear()

    response = client.post(
        page_of(Program, "define_requirements", program.pk), form | {"confirm": "yes"}
    )

    assert response.status_code == 302
    version = program.requirements_versions.get(number=2)
    assert (version.note, version.created_by) == ("the senate decided", registrar)
    assert [
        (asked.title, asked.required_number, asked.course_ids) for asked in requirements_of(version)
    ] == [
        ("", None, (runs[0].course_id,)),
        ("Electives", 1, (runs[2].course_id, runs[1].course_id)),
    ]
    assert announced == [("program_requirements_changed", (ProgramChange(program.pk),))]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"courses": "nowhere"}, "Unknown: nowhere"),
        ({"courses": "{key}\n{key}"}, "A key stands here twice."),
        ({"courses": "{key}", "required_number": "2"}, "asks for 2 of 1 courses"),
        ({"courses": "{key}", "required_number": "0"}, "greater than or equal to 1"),
    ],
)
def test_requirements_that_cannot_be_are_refused_with_the_reason(
    client: Client,
    registrar: User,
    runs: list[CourseRun],
    program: Program,
    fields: dict[str, str],
    words: str,
) -> None:
    filled = {name: value.format(key=runs[1].course.key) for name, value in fields.items()}
    form = requirements_form(client, program, group() | filled)

    response = client.post(
        page_of(Program, "define_requirements", program.pk), form | {"confirm": "yes"}
    )

    assert words in response.content.decode()
    assert program.requirements_versions.count() == 1


def test_requirements_need_a_reason(
    client: Client, registrar: User, runs: list[CourseRun], program: Program
) -> None:
    form = requirements_form(client, program, group(runs[1].course))

    client.post(
        page_of(Program, "define_requirements", program.pk),
        form | {"confirm": "yes", "reason": " "},
    )

    assert program.requirements_versions.count() == 1


def test_requirements_that_changed_meanwhile_are_not_overwritten(
    client: Client, registrar: User, runs: list[CourseRun], program: Program
) -> None:
    form = requirements_form(client, program, group(runs[1].course))
    define_requirements(program=program, groups=[], by=BY)

    response = client.post(
        page_of(Program, "define_requirements", program.pk), form | {"confirm": "yes"}
    )

    assert "It was changed meanwhile" in response.content.decode()
    assert program.requirements_versions.count() == 2


def test_runs_are_included_in_the_order_given(
    client: Client,
    registrar: User,
    runs: list[CourseRun],
    program: Program,
    announced: list[Announcement],
) -> None:
    GradeFactory.create(course_run=runs[0])
    url = page_of(Program, "include_runs", program.pk)
    form = {
        "seen": client.get(url).context["form"]["seen"].value(),
        "course_runs": f"{runs[2].key}\r\n\r\n{runs[1].key}",
        "reason": "the first run was a trial",
    }
    announced.clear()

    shown = client.post(url, form)
    unchanged = program.included_runs.count()
    client.post(url, form | {"confirm": "yes"})

    preview = shown.context["preview"]
    assert (preview.before, preview.after, unchanged) == (1, 0, 3)
    assert [row.course_run for row in program.included_runs.all()] == [runs[2], runs[1]]
    assert ("program_requirements_changed", (ProgramChange(program.pk),)) in announced


# --- Grades ----------------------------------------------------------------------------------------


def grade_form(**fields: object) -> dict[str, object]:
    return {
        "percent_grade": "0.7",
        "letter_grade": "",
        "says_passed": "unknown",
        "verified": "on",
        "is_final": "on",
        "reason": "read the exam again",
    } | fields


def test_a_grade_is_added_through_the_service(
    client: Client, registrar: User, announced: list[Announcement]
) -> None:
    learner, run = LearnerFactory.create(), CourseRunFactory.create()

    response = client.post(
        page_of(CourseGrade, "add"), grade_form(user=learner.pk, course_run=run.pk)
    )

    assert response.status_code == 302
    grade = CourseGrade.objects.get()
    assert (grade.user, grade.course_run, grade.percent_grade) == (learner, run, Decimal("0.7"))
    assert (grade.passed, grade.verified, grade.is_final) == (True, True, True)
    assert last_history(grade) == ("+", "read the exam again", "admin", registrar.pk)
    assert announced == [("course_grade_changed", (RunFact(learner.pk, run.pk),))]


def test_a_grade_is_corrected_through_the_service(
    client: Client, registrar: User, announced: list[Announcement]
) -> None:
    grade = GradeFactory.create()

    client.post(
        page_of(CourseGrade, "change", grade.pk),
        grade_form(percent_grade="0.65", says_passed="false"),
    )

    grade.refresh_from_db()
    assert (grade.percent_grade, grade.passed) == (Decimal("0.65"), False)
    assert last_history(grade) == ("~", "read the exam again", "admin", registrar.pk)
    assert announced == [("course_grade_changed", (RunFact(grade.user_id, grade.course_run_id),))]
    assert CourseGrade.history.count() == 2


@pytest.mark.parametrize(("passed", "shown"), [(True, None), (False, False)])
def test_passing_is_shown_as_said_only_where_the_percentage_says_otherwise(
    client: Client, registrar: User, passed: bool, shown: bool | None
) -> None:
    grade = GradeFactory.create(passed=passed)

    page = client.get(page_of(CourseGrade, "change", grade.pk))

    assert page.context["adminform"].form["says_passed"].value() is shown


def test_a_percentage_beyond_the_scale_is_refused_in_the_form(
    client: Client, registrar: User
) -> None:
    grade = GradeFactory.create()

    response = client.post(
        page_of(CourseGrade, "change", grade.pk), grade_form(percent_grade="1.01")
    )

    assert response.status_code == 200
    grade.refresh_from_db()
    assert grade.percent_grade == Decimal("0.8")


def test_older_news_of_the_lms_does_not_undo_a_correction(client: Client, registrar: User) -> None:
    grade = GradeFactory.create(lms_last_updated_at=AT)
    client.post(page_of(CourseGrade, "change", grade.pk), grade_form(percent_grade="0.65"))

    record = GradeRecord(grade.user_id, grade.course_run_id, Decimal("0.8"), lms_last_updated_at=AT)
    changed = record_grades([record], by=BY)

    assert changed == 0
    assert CourseGrade.objects.get().percent_grade == Decimal("0.65")


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_grade_is_not_corrected_without_a_reason(
    client: Client, registrar: User, reason: str, announced: list[Announcement]
) -> None:
    grade = GradeFactory.create()

    response = client.post(
        page_of(CourseGrade, "change", grade.pk), grade_form(percent_grade="0.1", reason=reason)
    )

    assert response.status_code == 200
    grade.refresh_from_db()
    assert grade.percent_grade == Decimal("0.8")
    assert announced == []


def test_a_grade_is_deleted_only_with_a_reason(
    client: Client, registrar: User, announced: list[Announcement]
) -> None:
    grade = GradeFactory.create()
    url = page_of(CourseGrade, "delete", grade.pk)

    asked = client.get(url)
    client.post(url, {"reason": " "})
    kept = CourseGrade.objects.count()
    client.post(url, {"reason": "of another learner"})

    assert asked.status_code == 200
    assert kept == 1
    assert not CourseGrade.objects.exists()
    assert last_history(grade) == ("-", "of another learner", "admin", registrar.pk)
    assert announced == [("course_grade_changed", (RunFact(grade.user_id, grade.course_run_id),))]


def act(
    client: Client, model: type[models.Model], action: str, rows: list[Any], **fields: str
) -> Any:
    chosen = {"_selected_action": [row.pk for row in rows]}
    return client.post(page_of(model, "changelist"), {"action": action, **chosen, **fields})


def test_chosen_grades_are_deleted_with_a_reason(client: Client, registrar: User) -> None:
    chosen, kept = GradeFactory.create_batch(2)

    asked = act(client, CourseGrade, "delete_grades", [chosen])
    before = CourseGrade.objects.count()
    act(client, CourseGrade, "delete_grades", [chosen], reason="of another learner")

    assert "Their history stays" in asked.content.decode()
    assert before == 2
    assert CourseGrade.objects.get() == kept


def test_djangos_own_deletion_is_not_offered(client: Client, registrar: User) -> None:
    grade = GradeFactory.create()

    act(client, CourseGrade, "delete_selected", [grade], post="yes")

    assert CourseGrade.objects.exists()


# --- Certificates ------------------------------------------------------------------------------------


def test_a_course_certificate_is_added_with_a_reason(
    client: Client, registrar: User, announced: list[Announcement]
) -> None:
    learner, run = LearnerFactory.create(), CourseRunFactory.create()
    form = {
        "user": learner.pk,
        "course_run": run.pk,
        "mode": "verified",
        "awarded_at_0": "2025-06-01",
        "awarded_at_1": "12:00:00",
        "reason": "lost by the LMS",
    }

    refused = client.post(page_of(CourseCertificate, "add"), form | {"reason": ""})
    client.post(page_of(CourseCertificate, "add"), form)

    assert refused.status_code == 200
    certificate = CourseCertificate.objects.get()
    assert (certificate.user, certificate.course_run, certificate.awarded_at) == (learner, run, AT)
    assert certificate.source == CertificateSource.STAFF
    assert last_history(certificate) == ("+", "lost by the LMS", "admin", registrar.pk)
    assert announced == [("course_certificate_awarded", (RunFact(learner.pk, run.pk),))]


def test_course_certificates_are_revoked_and_awarded_again_with_a_reason(
    client: Client, registrar: User, announced: list[Announcement]
) -> None:
    certificate = CourseCertificateFactory.create(source=CertificateSource.IMPORT)

    asked = act(client, CourseCertificate, "revoke", [certificate])
    unchanged = CourseCertificate.objects.get().status
    act(client, CourseCertificate, "revoke", [certificate], reason="plagiarism")
    revoked = CourseCertificate.objects.get()
    act(client, CourseCertificate, "award", [certificate], reason="it was not")

    assert asked.status_code == 200
    assert (unchanged, revoked.status) == (CertificateStatus.AWARDED, CertificateStatus.REVOKED)
    awarded = CourseCertificate.objects.get()
    assert (awarded.status, awarded.revoked_at) == (CertificateStatus.AWARDED, None)
    assert (awarded.awarded_at, awarded.source) == (RUN_ENDS, CertificateSource.IMPORT)
    assert [name for name, _items in announced] == [
        "course_certificate_revoked",
        "course_certificate_awarded",
    ]
    assert last_history(awarded) == ("~", "it was not", "admin", registrar.pk)
    assert rows_without_true_history(CourseCertificate) == 0


def test_program_certificates_of_several_programs_are_revoked_with_a_reason(
    client: Client, registrar: User, announced: list[Announcement]
) -> None:
    rows = [
        ProgramCertificateFactory.create(),
        ProgramCertificateFactory.create(from_lms=True),
        ProgramCertificateFactory.create(),
    ]

    act(client, ProgramCertificate, "revoke", rows[:2], reason="issued in error")

    assert list(
        ProgramCertificate.objects.order_by("pk").values_list("status", "revocation_reason")
    ) == [
        (CertificateStatus.REVOKED, "issued in error"),
        (CertificateStatus.REVOKED, "issued in error"),
        (CertificateStatus.AWARDED, ""),
    ]
    assert announced == [
        ("program_certificate_revoked", (ProgramFact(row.user_id, row.program_id),))
        for row in rows[:2]
    ]
    assert last_history(rows[0]) == ("~", "issued in error", "admin", registrar.pk)
