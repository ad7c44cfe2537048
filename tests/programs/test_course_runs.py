"""Runs as the catalog tells them."""

from dataclasses import replace

import pytest

from programs.models import Course, CourseMode, CourseRun
from programs.selectors import run_offer
from programs.services import RunRecord, record_course_runs
from tests.programs.conftest import Announcement
from tests.programs.factories import AT, BY, RUN_ENDS, RUN_STARTS, program_requiring

pytestmark = pytest.mark.django_db

RECORD = RunRecord(
    course_key="NBx+NEG",
    course_title="Negotiation",
    key="course-v1:NBx+NEG+S1",
    start=RUN_STARTS,
    end=RUN_ENDS,
    modes=("verified", "professional"),
)


def test_stores_a_run_with_its_course_and_its_paid_modes() -> None:
    record_course_runs([RECORD], by=BY)

    offer = run_offer(RECORD.key)

    assert offer
    assert (offer.course_title, offer.start, offer.end) == ("Negotiation", RUN_STARTS, RUN_ENDS)
    assert offer.upgrade_deadlines == {"verified": None, "professional": None}


def test_the_same_again_changes_nothing() -> None:
    record_course_runs([RECORD], by=BY)

    record_course_runs([RECORD], by=BY)

    assert [model.history.count() for model in (Course, CourseRun, CourseMode)] == [1, 1, 2]


def test_another_end_is_announced_to_who_includes_the_run(announced: list[Announcement]) -> None:
    record_course_runs([RECORD], by=BY)
    run = CourseRun.objects.get()
    program = program_requiring(core=[run.course])
    del announced[:]

    record_course_runs([replace(RECORD, end=AT)], by=BY)

    assert [(signal, [item.program_id for item in items]) for signal, items in announced] == [
        ("program_requirements_changed", [program.pk])
    ]
