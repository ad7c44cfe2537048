"""Grades of the old service; the newer one counts, as its LMS last told it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from credentials_portal.core.events import announce
from credentials_portal.core.history import bulk_create_with_history
from programs.models import CourseGrade, CourseRun
from programs.services.credentials_service.cells import Cells, Page, Result, Row, Work
from programs.services.credentials_service.configurations import RUN_UNKNOWN, runs_by_key
from programs.services.credentials_service.people import Learner, People
from programs.services.grades import GradeRecord, passes, record_grades
from programs.services.nodes import RecordError
from programs.signals import RunFact, course_grade_changed

GRADES = "grades"
NEWER = "newer than what was here"


class _Grade(NamedTuple):
    learner: Learner
    grade: CourseGrade
    is_new: bool


class Grades:
    def __init__(self, work: Work, people: People) -> None:
        self.work = work
        self.people = people

    def bring(self, rows: Sequence[Row]) -> list[Result]:
        """Import grades: one that is here stays, unless the file's is newer and both have dates."""
        page = Page(rows)
        drafts = _Drafts(self.work, self.people, rows)
        made = page.drafted(drafts.draft)
        return page.write(made, drafts.write, self.work)


class _Drafts:
    """Drafts of a page, with all that is here of what its rows name."""

    def __init__(self, work: Work, people: People, rows: Sequence[Row]) -> None:
        self.work = work
        self.people = people.of(rows)
        self.runs = runs_by_key(work, rows)
        stored = CourseRun.objects.filter(pk__in=self.runs.values())
        self.passing = dict(stored.values_list("pk", "passing_grade"))
        grades = CourseGrade.objects.filter(
            user__in=self.people.pks, course_run__in=self.runs.values()
        )
        self.stored = {(one.user_id, one.course_run_id): one for one in grades}
        self.told: dict[str, datetime | None] = {}

    def draft(self, cells: Cells) -> tuple[_Grade | None, str]:
        learner, key = self.people.learner(cells), cells.text("course_run")
        if key not in self.runs:
            raise RecordError(RUN_UNKNOWN)
        grade = self._grade(cells, self.runs[key])
        is_here, date = self._known(learner, key)
        name = f"{learner.key}:{key}"
        news = grade.lms_last_updated_at
        if is_here and not (date and news and news > date):
            return None, ""
        self.told[name] = news
        self.work.note(GRADES, {name: news.isoformat() if news else ""})
        return _Grade(learner, grade, not is_here), NEWER if is_here else ""

    def _known(self, learner: Learner, key: str) -> tuple[bool, datetime | None]:
        """Whether there is a grade, here or in a row before, and when the LMS told it."""
        name = f"{learner.key}:{key}"
        if name in self.told:
            return True, self.told[name]
        noted = self.work.noted(GRADES, [name])
        if noted:
            return True, datetime.fromisoformat(noted[name]) if noted[name] else None
        stored = self.stored.get((learner.pk, self.runs[key]))
        return stored is not None, stored.lms_last_updated_at if stored else None

    def _grade(self, cells: Cells, course_run_id: int) -> CourseGrade:
        percent = cells.fraction("percent_grade")
        passing = self.passing.get(course_run_id)
        created = cells.past("created", at=self.work.by.at)
        told_at = cells.optional_past("lms_last_updated_at", at=self.work.by.at)
        return CourseGrade(
            course_run_id=course_run_id,
            percent_grade=percent,
            letter_grade=cells.optional_text("letter_grade"),
            passed=passing is not None and passes(percent, passing_grade=passing),
            verified=cells.truth("verified", default=True),
            graded_at=told_at or created,
            lms_last_updated_at=told_at,
            created=created,
            modified=cells.optional_past("modified", at=self.work.by.at) or created,
        )

    def write(self, drafts: Sequence[_Grade]) -> None:
        pks = self.people.made(draft.learner for draft in drafts)
        new: dict[tuple[int, int], CourseGrade] = {}
        newer: list[CourseGrade] = []
        for learner, grade, is_new in drafts:
            grade.user_id = pks[learner.key]
            if is_new:
                new[grade.user_id, grade.course_run_id] = grade
            else:
                newer.append(grade)
        by = self.work.by
        bulk_create_with_history(CourseGrade, [new[key] for key in sorted(new)], by=by)
        facts = [RunFact(*key) for key in sorted(new)]
        announce(course_grade_changed, facts, at=by.at, actor=by.actor, cause=by.cause)
        record_grades((self._record(grade) for grade in newer), by=by)

    def _record(self, grade: CourseGrade) -> GradeRecord:
        """What the file says; whether it is final stays as another source said."""
        stored = self.stored.get((grade.user_id, grade.course_run_id))
        return GradeRecord(
            user_id=grade.user_id,
            course_run_id=grade.course_run_id,
            percent_grade=grade.percent_grade,
            letter_grade=grade.letter_grade,
            verified=grade.verified,
            is_final=bool(stored and stored.is_final),
            graded_at=grade.graded_at,
            lms_last_updated_at=grade.lms_last_updated_at,
        )
