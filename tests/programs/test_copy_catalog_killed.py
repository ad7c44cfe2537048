"""A copy whose process is killed, at any statement, and run again ends as if nothing had been."""

from itertools import count
from typing import Any

import pytest

from credentials_portal.core.history import models_with_history, rows_without_true_history
from credentials_portal.devcatalog import StandInCatalog
from programs.models import Course, CourseRun, Pathway, Program
from tests.forks import was_killed
from tests.letters.commands import run_command
from tests.programs.catalogs import course, organization, pathway, program
from tests.standins.catalog import standing_in_catalog  # noqa: F401 - a fixture
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)

STEP = 7


def everything() -> dict[str, Any]:
    """What a copy leaves, by names."""
    return {
        "courses": list(Course.objects.order_by("key").values_list("key", "owners__key")),
        "runs": list(CourseRun.objects.order_by("key").values_list("key", "course__key")),
        "programs": [
            (
                one.title,
                list(one.included_runs.values_list("course_run__key", flat=True)),
                list(
                    one.requirements_versions.values_list("number", "groups__courses__course__key")
                ),
            )
            for one in Program.objects.order_by("title")
        ],
        "pathways": list(Pathway.objects.values_list("name", "programs__title")),
    }


def test_a_copy_that_is_killed_anywhere_goes_on(catalog: StandInCatalog) -> None:
    courses = [course("EX+1"), course("EX+2")]
    programs = [program("Weaving", *courses), program("Dyeing", courses[0])]
    catalog.tables |= {
        "organizations": [organization("EX")],
        "courses": courses,
        "programs": programs,
        "pathways": [pathway("To a degree", *programs)],
    }
    kills = 0
    for statement in count(1, STEP):
        if not was_killed(statement, lambda: run_command("copy_catalog")):
            break
        kills += 1

    ran = run_command("copy_catalog")

    runs = ["course-v1:EX+1+R1", "course-v1:EX+2+R1"]
    assert kills > 5
    assert everything() == {
        "courses": [("EX+1", "EX"), ("EX+2", "EX")],
        "runs": [(runs[0], "EX+1"), (runs[1], "EX+2")],
        "programs": [
            ("Dyeing", runs[:1], [(1, "EX+1")]),
            ("Weaving", runs, [(1, "EX+1"), (1, "EX+2")]),
        ],
        "pathways": [("To a degree", "Weaving"), ("To a degree", "Dyeing")],
    }
    assert {rows_without_true_history(model) for model in models_with_history()} == {0}
    assert (ran.code, ran.summary["programs"]["unchanged"]) == (0, 2)
