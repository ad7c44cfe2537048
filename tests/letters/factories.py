"""Letters for tests. Each comes to be through the services, as the database demands."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import QuerySet

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from letters.enums import RunKind
from letters.models import (
    LetterRevalidation,
    LetterSignatory,
    LetterValidationRun,
    ProgramLetter,
    ProgramLetterTemplate,
)
from letters.services import (
    LetterRecord,
    PlanScope,
    add_draft,
    apply_page,
    approve_plan,
    finish_apply,
    finish_plan,
    import_letters,
    issue_letters,
    new_run,
    plan_page,
    publish_template,
    release_run,
    revalidate_page,
    start_plan,
)
from programs.models import CourseRun, Program, ProgramRequirementsVersion
from programs.services import (
    GradeRecord,
    RequiredGroup,
    define_requirements,
    include_runs,
    record_grades,
)
from tests.programs.factories import (
    AT,
    RUN_ENDS,
    CourseRunFactory,
    LearnerFactory,
    program_requiring,
)

INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GRACE = DAY
BY = Attribution(at=AT, reason="for a test", cause="test")


def by_at(at: datetime, **fields: object) -> Attribution:
    return replace(BY, at=at, **fields)  # type: ignore[arg-type]  # fields of Attribution


def one_course_program(**fields: object) -> tuple[Program, CourseRun]:
    """A program that requires one course with one run, which ended before `AT`."""
    run = CourseRunFactory.create()
    return program_requiring(core=[run.course], **fields), run  # type: ignore[arg-type]  # fields of Program


def require(program: Program, *runs: CourseRun, at: datetime) -> ProgramRequirementsVersion:
    """Ask for the courses of exactly these runs from `at` on, and include the runs."""
    include_runs(program=program, course_run_ids=[run.pk for run in runs], by=by_at(at))
    core = RequiredGroup(tuple(run.course_id for run in runs))
    return define_requirements(program=program, groups=[core] if runs else [], by=by_at(at))


def grade(
    run: CourseRun,
    *learners: User,
    percent: str = "0.8",
    at: datetime = AT,
    graded_at: datetime = RUN_ENDS,
) -> None:
    """Final grades as the LMS sends them: announced, so that the letters are queued."""
    record_grades(
        [
            GradeRecord(
                learner.pk,
                run.pk,
                percent_grade=Decimal(percent),
                is_final=True,
                graded_at=graded_at,
                lms_last_updated_at=at,
            )
            for learner in learners
        ],
        by=by_at(at),
    )


def graduates(run: CourseRun, count: int = 1, *, at: datetime = RUN_ENDS) -> list[User]:
    """Learners who passed the run; what that queued is gone."""
    learners = LearnerFactory.create_batch(count)
    grade(run, *learners, at=at)
    empty_queue()
    return learners


def empty_queue() -> None:
    LetterRevalidation.objects.all().delete()


def issue(program: Program, *learners: User, at: datetime = AT) -> list[ProgramLetter]:
    """Active letters, once staff released what the breaker held; in the order of the learners."""
    run = new_run(RunKind.ISSUE, by=by_at(at))
    user_ids = [learner.pk for learner in learners]
    issue_letters(program_id=program.pk, user_ids=user_ids, run=run, by=by_at(at))
    if run.pk:
        release_run(run=run, by=by_at(at, reason="Looked at."))
    return letters_of(program, *learners)


def letters_of(program: Program, *learners: User) -> list[ProgramLetter]:
    found = {letter.user_id: letter for letter in ProgramLetter.objects.filter(program=program)}
    return [found[learner.pk] for learner in learners]


def imported(
    program: Program,
    *learners: User,
    created_on: datetime = RUN_ENDS,
    is_active: bool = True,
    at: datetime = AT,
    uuid: UUID | None = None,
) -> list[ProgramLetter]:
    """Letters that another system issued."""
    records = [
        LetterRecord(uuid or uuid4(), learner.username, str(program.uuid), is_active, created_on)
        for learner in learners
    ]
    tally = import_letters(list(enumerate(records)), by=by_at(at))
    assert not tally.errors
    return letters_of(program, *learners)


def planned(scope: PlanScope | None = None, *, at: datetime = AT) -> LetterValidationRun:
    """A finished plan over these letters, in one page."""
    scope = scope or PlanScope()
    run = start_plan(scope, by=by_at(at))
    plan_page(run=run, scope=scope, after=0, upto=None)
    finish_plan(run, at=at, is_complete=True)
    return run


def applied(plan: LetterValidationRun, *, at: datetime = AT) -> dict[str, int]:
    """What became of the plan's letters: outcome → count."""
    run = approve_plan(plan, by=by_at(at))
    outcomes = apply_page(run=run, size=10_000, by=by_at(at))
    finish_apply(run)
    return dict(outcomes)


def revalidate(at: datetime, *, size: int = 500) -> dict[str, int]:
    """One page of the queue: outcome → count."""
    run = new_run(RunKind.REVALIDATE, by=by_at(at))
    return dict(revalidate_page(size=size, run=run, by=by_at(at)).outcomes)


def states(*letters: ProgramLetter) -> list[str]:
    """Their states now."""
    now = dict(ProgramLetter.objects.values_list("pk", "state"))
    return [now[letter.pk] for letter in letters]


def story(letter: ProgramLetter) -> list[tuple[str, str, str]]:
    """What happened to a letter, in order: action, state afterwards, reason."""
    return list(
        letter.events.order_by("letter_version").values_list("action", "to_state", "reason")
    )


def assert_sound(letters: QuerySet[ProgramLetter] | None = None) -> None:
    """Each version has its one event, each event begins where the last one ended, and only
    reinstating leads out of a revocation."""
    for letter in ProgramLetter.objects.all() if letters is None else letters:
        events = list(letter.events.order_by("letter_version"))
        assert [event.letter_version for event in events] == list(range(1, letter.version + 1))
        ends = [event.to_state for event in events]
        assert [event.from_state for event in events] == ["", *ends[:-1]]
        assert ends[-1] == letter.state
        left = [e.action for e in events if e.from_state == "revoked" != e.to_state]
        assert set(left) <= {"reinstated"}


def publish_text(
    program: Program, text: str = "Well done, {name}.", *, at: datetime = AT, **fields: Any
) -> ProgramLetterTemplate:
    """Publish a text for the program's letters, as staff who looked at what fails."""
    template = ProgramLetterTemplate(program=program, text=text, **fields)
    add_draft(template, by=by_at(at))
    LetterSignatory.objects.create(template=template, name="Grace Hopper", title_line_1="Dean")
    publish_template(template_id=template.pk, by=by_at(at), despite_failures=True)
    template.refresh_from_db()
    return template


def rows(*tables: str) -> dict[str, str]:
    """A digest of all rows of these tables, of every table where none is named."""
    with connection.cursor() as cursor:
        digests = {}
        for table in tables or connection.introspection.table_names(cursor):
            cursor.execute(
                f"SELECT count(*) || ':' || COALESCE(md5(string_agg(row::text, '|' ORDER BY row::text)), '')"  # noqa: S608 - of the catalog
                f' FROM "{table}" AS row'
            )
            digests[table] = cursor.fetchone()[0]
        return digests
