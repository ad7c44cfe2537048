"""Plan, apply and issue letters by the thousand."""

import io
import json
from datetime import UTC, datetime
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.measuring import measured
from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from letters.enums import IssuedVia, LetterAction, LetterState
from letters.models import LetterEvent, LetterValidationRun
from letters.services.writing import NewLetter, create_letters
from programs.models import Course, CourseRun, Program
from programs.services import RequiredGroup, define_requirements, enroll_in_programs, include_runs

COURSES = 5
PROGRAMS = 10
LETTERS = {"S": 10_000, "M": 100_000}
SUSPENSIONS = {"S": 1_000, "M": 10_000}
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
RUN_ENDS = datetime(2020, 6, 1, tzinfo=UTC)
ISSUED = datetime(2021, 1, 1, tzinfo=UTC)

BARE_VERDICTS = """
    SELECT letter.id, letter.version, letter.state, COUNT(*) FILTER (WHERE grade.id IS NULL) AS missing,
           array_agg('core_course:' || course.key) FILTER (WHERE grade.id IS NULL) AS failed
    FROM letters_programletter AS letter
    JOIN programs_requirementcourse AS member ON member.version_id = letter.requirements_version_id
    JOIN programs_course AS course ON course.id = member.course_id
    JOIN programs_courserun AS run ON run.course_id = member.course_id
    LEFT JOIN programs_coursegrade AS grade
      ON grade.user_id = letter.user_id AND grade.course_run_id = run.id AND grade.passed
    GROUP BY letter.id
"""


def measure(size: str) -> None:
    letters = LETTERS[size]
    by = Attribution(at=timezone.now(), cause="benchmark")
    programs = [_program(number, by) for number in range(PROGRAMS)]
    _learners(letters)
    _grades(programs, failing=SUSPENSIONS[size])
    _letters(programs, by)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(f"\nLetters: {letters:,} of {PROGRAMS} programs over {letters * COURSES:,} grades")
    _measure_plan()
    _measure_apply()
    _measure_issue(by)


def _measure_plan() -> None:
    with measured("floor: one bare SELECT that counts the verdicts") as count:
        _run(f"SELECT missing > 0, COUNT(*) FROM ({BARE_VERDICTS}) AS bare GROUP BY 1")
    count.show()
    run = LetterValidationRun.objects.create(
        kind="plan", as_of=timezone.now(), started_at=timezone.now()
    )
    with measured("floor: one bare statement that stores the same rows") as store:
        _run(
            "INSERT INTO letters_lettervalidationresult (run_id, letter_id, letter_version, state,"
            " verdict, failed_checks, planned_action, outcome)"
            " SELECT %s, id, version, state, CASE missing WHEN 0 THEN 'valid' ELSE 'invalid' END,"
            " COALESCE(failed, '{}'), CASE missing WHEN 0 THEN 'none' ELSE 'suspend' END, ''"
            f" FROM ({BARE_VERDICTS}) AS bare",
            run.pk,
        )
    store.show()
    run.results.all().delete()
    run.delete()
    with measured("validate_letters --dry-run") as preview:
        command("validate_letters", "--dry-run")
    preview.show(count)
    with measured("validate_letters") as plan:
        command("validate_letters")
    plan.show(store)


def _measure_apply() -> None:
    plan = LetterValidationRun.objects.latest("pk")
    with measured("floor: one bare UPDATE and one INSERT, undone") as floor, transaction.atomic():
        _run(
            "WITH due AS (SELECT letter_id FROM letters_lettervalidationresult"
            " WHERE run_id = %s AND planned_action = 'suspend'),"
            " letter AS (UPDATE letters_programletter SET state = 'suspended', version = version + 1"
            " FROM due WHERE id = due.letter_id RETURNING id, version)"
            " INSERT INTO letters_letterevent (letter_id, letter_version, action, from_state,"
            " to_state, reason, note, failed_checks, before, automatic, cause, at)"
            " SELECT id, version, 'suspended', 'active', 'suspended', '', '', '[]', '{}', false, '',"
            " now() FROM letter",
            plan.pk,
        )
        transaction.set_rollback(True)
    floor.show()
    events = LetterEvent.objects.count()
    with measured("apply_letter_plan") as apply:
        summary = command("apply_letter_plan", str(plan.uuid), "--yes-really", "--reason", "why")
    apply.show(floor)
    print(f"    {summary['changed']:,} suspended, {LetterEvent.objects.count() - events:,} events")


def _measure_issue(by: Attribution) -> None:
    program = _program(PROGRAMS, by)
    enrolled = User.objects.order_by("pk").values_list("pk", flat=True)[:1_000]
    enroll_in_programs(user_ids=list(enrolled), program=program, by=by)
    _grades([program], failing=0, learners=1_000)
    with measured("issue_letters for 1,000 enrolled (the old system: 13,219 statements)") as issue:
        summary = command("issue_letters", "--program", str(program.uuid))
    issue.show()
    print(f"    {summary['issued']:,} issued, {summary['pending']:,} held for release")


def _program(number: int, by: Attribution) -> Program:
    program = Program.objects.create(title=f"Program {number}")
    courses = Course.objects.bulk_create(
        Course(key=f"P{number}.{place}", title=f"Course {place}") for place in range(COURSES)
    )
    runs = CourseRun.objects.bulk_create(
        CourseRun(course=course, key=f"{course.key}.2020", end_date=RUN_ENDS) for course in courses
    )
    include_runs(program=program, course_run_ids=[run.pk for run in runs], by=by)
    define_requirements(
        program=program,
        groups=[RequiredGroup(tuple(course.pk for course in courses))],
        by=Attribution(at=BEGIN, cause=by.cause),
    )
    return program


def _learners(count: int) -> None:
    User.objects.bulk_create(
        (
            User(username=f"learner{number}", full_name=f"Learner {number}", password="!")
            for number in range(count)
        ),
        batch_size=10_000,
    )


def _grades(programs: list[Program], *, failing: int, learners: int = 10_000_000) -> None:
    """A grade in each course of one program for each learner; some fail in the first course."""
    _run(
        """
        INSERT INTO programs_coursegrade (created, modified, user_id, course_run_id, percent_grade,
            letter_grade, passed, verified, is_final, graded_at)
        SELECT now(), now(), learner.id, include.course_run_id, 0.8, '',
               learner.place > %s OR include.position > 0, true, true, %s
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM accounts_user) AS learner
        JOIN programs_programcourserun AS include
          ON include.program_id = (%s::bigint[])[1 + learner.place %% %s]
        WHERE learner.place <= %s
        """,
        failing,
        RUN_ENDS,
        [program.pk for program in programs],
        len(programs),
        learners,
    )


def _letters(programs: list[Program], by: Attribution) -> None:
    versions = {p.pk: p.requirements_versions.get().pk for p in programs}
    keys = list(versions)
    learners = list(User.objects.order_by("pk").values_list("pk", "full_name"))
    issued_by = Attribution(at=ISSUED, cause=by.cause)
    for start in range(0, len(learners), 5_000):
        with transaction.atomic():
            create_letters(
                [
                    NewLetter(
                        user_id=user_id,
                        program_id=keys[place % len(keys)],
                        state=LetterState.ACTIVE,
                        action=LetterAction.IMPORTED,
                        issued_via=IssuedVia.IMPORT,
                        issued_at=ISSUED,
                        recipient_name=name,
                        requirements_version_id=versions[keys[place % len(keys)]],
                    )
                    for place, (user_id, name) in enumerate(
                        learners[start : start + 5_000], start=start + 1
                    )
                ],
                by=issued_by,
            )


def command(*arguments: str) -> dict[str, Any]:
    output = io.StringIO()
    call_command(*arguments, "--format", "json", stdout=output)
    summary: dict[str, Any] = json.loads(output.getvalue().splitlines()[-1])
    return summary


def _run(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
