import csv
import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credentials_portal.accounts.models import User
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import JobRun
from programs.enums import CertificateSource, CertificateStatus, ProgramStatus, RevocationKind
from programs.models import CourseGrade, CourseRun, Program, ProgramCertificate
from programs.selectors import CertificateChanges
from programs.services import (
    award_program_certificates,
    define_requirements,
    revoke_program_certificates,
)
from programs.signals import ProgramFact
from tests.programs.conftest import Announcement
from tests.programs.factories import (
    BY,
    CourseFactory,
    CourseRunFactory,
    GradeFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    program_requiring,
)

pytestmark = pytest.mark.django_db

AWARDED, REVOKED = CertificateStatus.AWARDED, CertificateStatus.REVOKED
NOT_COMPLETE, DECIDED = RevocationKind.NOT_COMPLETE, RevocationKind.DECIDED


@pytest.fixture
def run() -> CourseRun:
    return CourseRunFactory.create()


@pytest.fixture
def program(run: CourseRun) -> Program:
    return program_requiring(core=[run.course])


def completed_by(run: CourseRun, count: int = 1) -> list[User]:
    learners = LearnerFactory.create_batch(count)
    for learner in learners:
        GradeFactory.create(user=learner, course_run=run)
    return learners


def award(*arguments: str) -> dict[str, Any]:
    """The summary of a run that ends well."""
    stdout = StringIO()
    call_command("award_program_certificates", *arguments, "--format", "json", stdout=stdout)
    summary: dict[str, Any] = json.loads(stdout.getvalue().splitlines()[-1])
    return summary


def refused(*arguments: str) -> tuple[str, dict[str, Any] | None]:
    """The reason of a refusal, which exits with 2, and the summary if there was one."""
    stdout = StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command("award_program_certificates", *arguments, "--format", "json", stdout=stdout)
    assert refusal.value.returncode == 2
    printed = stdout.getvalue().splitlines()
    return str(refusal.value), json.loads(printed[-1]) if printed else None


def certificates() -> set[tuple[int, str, str]]:
    return set(ProgramCertificate.objects.values_list("user_id", "status", "source"))


def test_awards_those_who_completed_the_program(
    run: CourseRun, program: Program, announced: list[Announcement]
) -> None:
    learners = completed_by(run, 2)
    GradeFactory.create(course_run=run, failing=True)

    summary = award()

    assert summary == {
        "programs": 1,
        "awarded": 2,
        "revoked": 0,
        "programs_not_awarded": {"requirements_defined": 0},
    }
    assert certificates() == {(user.pk, AWARDED, CertificateSource.COMPUTED) for user in learners}
    assert announced == [
        ("program_certificate_awarded", tuple(ProgramFact(u.pk, program.pk) for u in learners))
    ]
    history = ProgramCertificate.history.values_list("history_type", "cause")
    assert list(history) == [("+", "command:award_program_certificates")] * 2
    assert rows_without_true_history(ProgramCertificate) == 0


def test_a_second_run_changes_and_announces_nothing(
    run: CourseRun, program: Program, announced: list[Announcement]
) -> None:
    completed_by(run)
    award()
    before = list(ProgramCertificate.objects.values())
    announced.clear()

    summary = award()

    assert (summary["awarded"], summary["revoked"]) == (0, 0)
    assert list(ProgramCertificate.objects.values()) == before
    assert ProgramCertificate.history.count() == 1
    assert announced == []


def test_revokes_computed_certificates_that_lost_their_ground(
    run: CourseRun, program: Program, announced: list[Announcement]
) -> None:
    certificate = ProgramCertificateFactory.create(program=program)

    summary = award()

    assert (summary["awarded"], summary["revoked"]) == (0, 1)
    certificate.refresh_from_db()
    assert certificate.status == REVOKED
    assert (certificate.revocation_kind, certificate.revocation_reason) == (NOT_COMPLETE, "")
    assert announced == [
        ("program_certificate_revoked", (ProgramFact(certificate.user_id, program.pk),))
    ]


def test_awards_again_what_the_portal_revoked_itself(run: CourseRun, program: Program) -> None:
    [learner] = completed_by(run)
    certificate = ProgramCertificateFactory.create(user=learner, program=program, revoked=True)

    assert award()["awarded"] == 1

    certificate.refresh_from_db()
    assert (certificate.status, certificate.revoked_at) == (AWARDED, None)
    assert certificate.revocation_reason == ""


@pytest.mark.parametrize("reason", ["plagiarism", NOT_COMPLETE.value])
def test_leaves_what_a_person_revoked_whatever_the_reason_says(
    run: CourseRun, program: Program, reason: str
) -> None:
    [learner] = completed_by(run)
    ProgramCertificateFactory.create(user=learner, program=program)
    revoke_program_certificates(program=program, user_ids=[learner.pk], reason=reason, by=BY)

    assert award()["awarded"] == 0

    assert certificates() == {(learner.pk, REVOKED, CertificateSource.COMPUTED)}
    certificate = ProgramCertificate.objects.get()
    assert (certificate.revocation_kind, certificate.revocation_reason) == (DECIDED, reason)


def test_leaves_certificates_from_elsewhere(run: CourseRun, program: Program) -> None:
    [complete] = completed_by(run)
    ProgramCertificateFactory.create(program=program, user=complete, from_lms=True, revoked=True)
    incomplete = ProgramCertificateFactory.create(program=program, from_lms=True)

    summary = award()

    assert (summary["awarded"], summary["revoked"]) == (0, 0)
    assert certificates() == {
        (complete.pk, REVOKED, CertificateSource.LMS),
        (incomplete.user_id, AWARDED, CertificateSource.LMS),
    }


def test_leaves_programs_that_are_not_active(run: CourseRun, program: Program) -> None:
    completed_by(run)
    ProgramCertificateFactory.create(program=program)
    Program.objects.update(status=ProgramStatus.RETIRED)

    assert award()["programs"] == 0
    summary = award("--program", str(program.uuid))

    assert (summary["awarded"], summary["revoked"]) == (0, 0)
    assert ProgramCertificate.objects.get().status == AWARDED


def test_leaves_a_program_that_was_retired_after_it_was_read(
    run: CourseRun, program: Program
) -> None:
    completed_by(run)
    Program.objects.update(status=ProgramStatus.RETIRED)

    changes = award_program_certificates(program=program, by=BY)

    assert changes == CertificateChanges()
    assert not ProgramCertificate.objects.exists()


def test_takes_one_program_by_uuid_or_primary_key(run: CourseRun, program: Program) -> None:
    completed_by(run)
    other = program_requiring(core=[run.course])

    by_uuid = award("--program", str(program.uuid))
    by_key = award("--program", str(other.pk))

    assert (by_uuid["awarded"], by_key["awarded"]) == (1, 1)


def test_an_unknown_program_is_refused() -> None:
    reason, _summary = refused("--program", str(uuid4()))

    assert reason.startswith("There is no program")


def test_no_program_at_all_is_nothing_to_do() -> None:
    assert award()["programs"] == 0


# --- Programs without requirements ---------------------------------------------------------------


def test_a_program_without_requirements_is_refused_by_name_and_awards_nothing(
    run: CourseRun,
) -> None:
    program = program_requiring(including=[run])
    completed_by(run)

    reason, summary = refused("--program", str(program.uuid))

    assert reason.startswith("requirements_defined")
    assert summary == {
        "programs": 1,
        "awarded": 0,
        "revoked": 0,
        "programs_not_awarded": {"requirements_defined": 1},
    }
    assert not ProgramCertificate.objects.exists()


def test_a_program_that_lost_its_requirements_still_loses_its_certificates(
    run: CourseRun, program: Program
) -> None:
    completed_by(run)
    award()
    define_requirements(program=program, groups=[], by=BY)

    _reason, summary = refused("--program", str(program.uuid))

    assert summary is not None
    assert summary["revoked"] == 1
    assert ProgramCertificate.objects.get().status == REVOKED


def test_among_all_programs_those_without_requirements_are_counted(
    run: CourseRun, program: Program
) -> None:
    program_requiring(including=[run])
    completed_by(run)

    summary = award()

    assert summary["awarded"] == 1
    assert summary["programs_not_awarded"] == {"requirements_defined": 1}


# --- The cap -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cap", [["--max-changes", "1"], ["--max-percent", "50"]], ids=["changes", "percent"]
)
def test_more_revocations_than_the_cap_are_refused_before_anything_changes(
    run: CourseRun, program: Program, cap: list[str], announced: list[Announcement]
) -> None:
    completed_by(run)
    holders = ProgramCertificateFactory.create_batch(2, program=program)

    reason, summary = refused(*cap)

    assert "nothing was changed" in reason
    assert summary is None
    assert certificates() == {(c.user_id, AWARDED, CertificateSource.COMPUTED) for c in holders}
    assert announced == []
    assert JobRun.objects.get().outcome == "refused"


def test_the_percentage_is_of_the_awarded_computed_certificates(
    run: CourseRun, program: Program
) -> None:
    [kept] = completed_by(run)
    ProgramCertificateFactory.create(program=program, user=kept)
    ProgramCertificateFactory.create(program=program)
    # None of these counts: they would make it one of four.
    ProgramCertificateFactory.create(program=program, from_lms=True)
    ProgramCertificateFactory.create(program=program, revoked=True)

    reason, _summary = refused("--max-percent", "49")

    assert reason.startswith("1 of 2 (50.0%) would change")
    assert award("--max-percent", "50")["revoked"] == 1


def test_the_cap_holds_for_all_programs_together(run: CourseRun) -> None:
    for _number in range(2):
        ProgramCertificateFactory.create(program=program_requiring(core=[run.course]))

    reason, _summary = refused("--max-changes", "1")

    assert reason.startswith("2 would change")
    assert not ProgramCertificate.objects.filter(status=REVOKED).exists()


def test_the_cap_holds_for_each_program(run: CourseRun, program: Program) -> None:
    for learner in completed_by(run, 9):
        ProgramCertificateFactory.create(program=program, user=learner)
    ProgramCertificateFactory.create(program=program_requiring(core=[run.course]))

    reason, _summary = refused("--max-percent", "50")

    assert reason.startswith("1 of 1 (100.0%) would change")
    assert not ProgramCertificate.objects.filter(status=REVOKED).exists()


def test_fifty_revocations_at_most_unless_told_otherwise(run: CourseRun, program: Program) -> None:
    ProgramCertificateFactory.create_batch(51, program=program)

    refused()
    summary = award("--yes-really", "--reason", "the registrar confirmed")

    assert summary["revoked"] == 51
    reasons = ProgramCertificate.history.filter(history_type="~")
    assert set(reasons.values_list("history_change_reason", flat=True)) == {
        "the registrar confirmed"
    }


# --- Dry run, report, statements -------------------------------------------------------------------


def test_a_dry_run_tells_the_same_and_writes_nothing(
    run: CourseRun, program: Program, tmp_path: Path
) -> None:
    completed_by(run)
    ProgramCertificateFactory.create(program=program)
    before = certificates()

    dry = award("--dry-run", "--output", str(tmp_path / "dry.csv"))
    after_dry = certificates()
    real = award("--output", str(tmp_path / "real.csv"))

    assert dry == real
    assert (real["awarded"], real["revoked"]) == (1, 1)
    assert after_dry == before
    assert (tmp_path / "dry.csv").read_text() == (tmp_path / "real.csv").read_text()


def test_the_report_names_each_change(run: CourseRun, program: Program, tmp_path: Path) -> None:
    [winner] = completed_by(run)
    loser = ProgramCertificateFactory.create(program=program).user
    output = tmp_path / "changes.csv"

    award("--output", str(output))

    with output.open() as file:
        assert list(csv.DictReader(file)) == [
            {"program": str(program.uuid), "username": winner.username, "change": "awarded"},
            {"program": str(program.uuid), "username": loser.username, "change": "revoked"},
        ]


def test_statements_do_not_grow_with_the_learners() -> None:
    counts = []
    for number in (1, 50):
        run = CourseRunFactory.create()
        program = program_requiring(core=[run.course])
        completed_by(run, number)
        ProgramCertificateFactory.create_batch(number, program=program)
        with CaptureQueriesContext(connection) as captured:
            summary = award("--program", str(program.uuid))
        counts.append(len(captured))
        assert (summary["awarded"], summary["revoked"]) == (number, number)

    assert counts[0] == counts[1]


def test_judges_at_the_instant_that_is_named(run: CourseRun, program: Program) -> None:
    completed_by(run)
    CourseGrade.objects.update(is_final=False)
    assert run.end_date is not None

    too_early = award("--as-of", (run.end_date - timedelta(seconds=1)).isoformat())
    in_time = award("--as-of", run.end_date.isoformat())

    assert (too_early["awarded"], in_time["awarded"]) == (0, 1)


def test_a_course_that_nobody_offers_is_completed_by_nobody(run: CourseRun) -> None:
    program_requiring(core=[run.course, CourseFactory.create()])
    completed_by(run)

    assert award()["awarded"] == 0
