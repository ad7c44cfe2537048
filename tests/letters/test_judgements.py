"""How a letter is judged: one test for each sentence of the rule, then all of it against an oracle."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credentials_portal.accounts.models import User
from credentials_portal.core.sql import Fragment
from letters.enums import Against, LetterState, PlannedAction, Verdict
from letters.models import LetterWaiver, ProgramLetter
from letters.selectors import Judgement, judge, judge_learner, judge_letter, judged_letters
from letters.services import waive_check
from programs.enums import CertificateSource, RevocationKind
from programs.models import (
    CourseGrade,
    CourseRun,
    Program,
    ProgramCertificate,
    ProgramRequirementsVersion,
)
from programs.services import include_runs
from tests.letters import oracle
from tests.letters.factories import (
    BY,
    DAY,
    INSTANT,
    by_at,
    grade,
    graduates,
    imported,
    issue,
    one_course_program,
    require,
)
from tests.programs.factories import (
    AT,
    FOUNDED,
    RUN_ENDS,
    CourseRunFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    ProgramFactory,
    program_requiring,
)
from tests.programs.oracle import World
from tests.programs.test_completion import DATES, built, worlds

pytestmark = pytest.mark.django_db


def told(letter: ProgramLetter, at: datetime = AT) -> tuple[str, tuple[str, ...], str]:
    """Verdict, failed checks and planned action of a letter."""
    judgement = judge_letter(letter, at=at)
    return judgement.verdict, judgement.failed_checks, judgement.planned_action


# --- Requirements ------------------------------------------------------------------------------


def test_nobody_completed_a_program_without_requirements() -> None:
    learner, program = LearnerFactory.create(), ProgramFactory.create()

    judgement = judge_learner(user_id=learner.pk, program_id=program.pk, at=AT)

    assert (judgement.verdict, judgement.failed_checks) == ("invalid", ("requirements_defined",))
    assert judgement.deciding_version_id is None


def test_a_letter_from_before_there_were_requirements_is_judged_by_todays() -> None:
    run, program, learner = (
        CourseRunFactory.create(),
        ProgramFactory.create(),
        LearnerFactory.create(),
    )
    (letter,) = imported(program, learner, created_on=FOUNDED)
    require(program, run, at=RUN_ENDS)

    assert told(letter) == (
        "invalid",
        ("program_started", f"core_course:{run.course.key}"),
        "suspend",
    )


def test_an_empty_version_at_issue_fails_beside_todays_reasons() -> None:
    run, program, learner = (
        CourseRunFactory.create(),
        ProgramFactory.create(),
        LearnerFactory.create(),
    )
    require(program, at=FOUNDED)
    (letter,) = imported(program, learner, created_on=FOUNDED + DAY)
    require(program, run, at=RUN_ENDS)

    assert told(letter) == (
        "invalid",
        ("requirements_defined", "program_started", f"core_course:{run.course.key}"),
        "suspend",
    )


def test_requirements_edited_later_change_no_old_verdict() -> None:
    program, run = one_course_program()
    (letter,) = issue(program, *graduates(run))
    added = CourseRunFactory.create()
    require(program, run, added, at=AT + DAY)

    (by_current,) = judge(
        Fragment(
            "SELECT %s::bigint AS user_id, %s::bigint AS program_id, %s::bigint AS version_id,"
            " %s::timestamptz AS issued_at, 'active' AS state",
            (letter.user_id, program.pk, letter.requirements_version_id, letter.issued_at),
        ),
        at=AT + DAY,
        against=Against.CURRENT,
    )

    assert told(letter, AT + DAY) == ("valid", (), "none")
    assert by_current.failed_checks == (f"core_course:{added.course.key}",)
    assert by_current.planned_action == "suspend"


def test_requirements_that_no_run_can_meet_leave_the_verdict_open() -> None:
    program, run = one_course_program()
    (letter,) = issue(program, *graduates(run))
    include_runs(program=program, course_run_ids=[], by=BY)

    judgement = judge_letter(letter, at=AT)

    assert (judgement.verdict, judgement.planned_action) == ("indeterminate", "none")
    assert {check.code: check.status for check in judgement.checks} == {
        "requirements_defined": "pass",
        "requirements_satisfiable": "unknown",
        f"core_course:{run.course.key}": "fail",
        **dict.fromkeys(oracle.OWN_CHECKS, "pass"),
    }


def test_the_missing_elective_set_is_named() -> None:
    runs = CourseRunFactory.create_batch(3)
    program = program_requiring(electives=[(2, [run.course for run in runs])])
    learner = LearnerFactory.create()
    grade(runs[0], learner)
    code = "elective_set:1"

    one = judge_learner(user_id=learner.pk, program_id=program.pk, at=AT)
    grade(runs[2], learner)
    two = judge_learner(user_id=learner.pk, program_id=program.pk, at=AT)

    assert (one.verdict, one.failed_checks) == ("invalid", (code,))
    assert (two.verdict, two.failed_checks) == ("valid", ())
    assert [run["run"] for run in two.evidence[code]] == [runs[0].key, runs[2].key]


# --- The learner -------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"full_name": ""}, {"is_active": False}, {"retired_at": AT}])
def test_a_letter_names_a_person_who_is_here(change: dict[str, object]) -> None:
    program, run = one_course_program()
    (learner,) = graduates(run)
    (letter,) = issue(program, learner)
    User.objects.filter(pk=learner.pk).update(**change)

    assert told(letter) == ("invalid", ("learner_identity",), "suspend")


def test_a_program_certificate_that_was_taken_away_decides() -> None:
    program, run = one_course_program()
    (learner,) = graduates(run)
    (letter,) = issue(program, learner)
    ProgramCertificateFactory.create(
        user=learner, program=program, revoked=True, revocation_kind=RevocationKind.DECIDED
    )

    assert told(letter) == ("invalid", ("program_certificate_active",), "suspend")


def test_a_certificate_that_the_portal_itself_took_back_decides_nothing() -> None:
    """It follows from the requirements of today, which an older letter need not meet."""
    program, run = one_course_program()
    (learner,) = graduates(run)
    (letter,) = issue(program, learner)
    ProgramCertificateFactory.create(user=learner, program=program, revoked=True)

    assert told(letter) == ("valid", (), "none")


# --- Waivers -----------------------------------------------------------------------------------


def test_an_undated_result_says_nothing_against_the_date_of_a_letter() -> None:
    program, run = one_course_program()
    (learner,) = graduates(run)
    CourseGrade.objects.update(graded_at=None, is_final=True)
    CourseRun.objects.update(end_date=AT + 900 * DAY)

    judgement = judge_learner(user_id=learner.pk, program_id=program.pk, at=AT)
    (letter,) = issue(program, learner)
    judged = judge_letter(letter, at=AT)

    assert (judgement.verdict, judgement.completed_at) == ("valid", None)
    assert (judged.failed_checks, judged.planned_action) == ((), "none")


def test_waiving_that_no_run_can_meet_it_lets_the_rest_decide() -> None:
    program, run = one_course_program()
    (letter,) = issue(program, *graduates(run))
    include_runs(program=program, course_run_ids=[], by=BY)
    waive_check(user=letter.user, program_id=program.pk, code="requirements_satisfiable", by=BY)

    assert judge_letter(letter, at=AT).verdict == "invalid"


def test_a_waived_check_does_not_count() -> None:
    program, _run = one_course_program()
    learner = LearnerFactory.create()
    (code,) = judge_learner(user_id=learner.pk, program_id=program.pk, at=AT).failed_checks

    waive_check(user=learner, program_id=program.pk, code=code, by=BY)

    judgement = judge_learner(user_id=learner.pk, program_id=program.pk, at=AT)
    assert (judgement.verdict, judgement.failed_checks) == ("valid", ())
    assert [check.status for check in judgement.checks if check.code == code] == ["waived"]


def test_a_waiver_counts_from_its_grant_until_it_expires() -> None:
    program, _run = one_course_program()
    learner = LearnerFactory.create()
    (code,) = judge_learner(user_id=learner.pk, program_id=program.pk, at=AT).failed_checks
    waive_check(user=learner, program_id=program.pk, code=code, by=by_at(AT), expires_at=AT + DAY)

    verdicts = [
        judge_learner(user_id=learner.pk, program_id=program.pk, at=at).verdict
        for at in (AT - INSTANT, AT, AT + DAY - INSTANT, AT + DAY)
    ]

    assert verdicts == ["invalid", "valid", "valid", "invalid"]


# --- The date ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issued_at", "failed_checks", "action"),
    [
        (RUN_ENDS - INSTANT, ("program_started", "evidence_not_after_issue"), "reissue"),
        (RUN_ENDS, (), "none"),
        (RUN_ENDS + INSTANT, (), "none"),
    ],
)
def test_a_wrong_date_asks_for_a_true_one_where_the_rest_holds(
    issued_at: datetime, failed_checks: tuple[str, ...], action: str
) -> None:
    program, run = one_course_program()
    (letter,) = imported(program, *graduates(run), created_on=issued_at)

    assert told(letter) == ("valid", failed_checks, action)


# --- All of it, against the oracle ---------------------------------------------------------------

WAIVABLE = (
    *(f"core_course:course {number}" for number in range(4)),
    *("elective set 0", "elective set 1", "requirements_satisfiable"),
    *("program_certificate_active", "program_started", "evidence_not_after_issue"),
)

letters = st.builds(
    oracle.Letter,
    state=st.sampled_from(LetterState.values),
    version=st.none() | st.integers(0, 2),
    issued_at=st.none() | DATES,
)
subjects = st.builds(
    oracle.Subject,
    letter=st.none() | letters,
    is_identifiable=st.sampled_from([True, True, True, False]),
    has_lost_certificate=st.sampled_from([False, False, False, True]),
    waived=st.frozensets(st.sampled_from(WAIVABLE), max_size=4),
)


@given(
    world=worlds(),
    given_subjects=st.lists(subjects, min_size=12, max_size=12),
    against=st.sampled_from(Against),
)
@settings(
    max_examples=500 if os.environ.get("FULL") else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_all_judgements_agree_with_the_oracle(
    world: World, given_subjects: list[oracle.Subject], against: Against
) -> None:
    with built(world) as (program, learners, versions), transaction.atomic():
        codes = {
            (version, place): f"elective_set:{group.number}"
            for version, row in zip(world.versions, versions, strict=True)
            for place, group in enumerate(row.groups.all())
            if version.groups[place].required_number is not None
        }
        stated = [stating(one, world, sorted(set(codes.values()))) for one in given_subjects]
        store(stated, program, learners)
        expected = [
            oracle.judge(
                world,
                attempts,
                subject,
                at=AT,
                against_current=against == Against.CURRENT,
                codes=codes,
            )
            for attempts, subject in zip(world.learners, stated, strict=True)
        ]

        given_rows = as_subjects(stated, program, learners, versions)
        judged = {one.user_id: one for one in judge(given_rows, at=AT, against=against)}

        found = [as_expected(judged[learner.pk]) for learner in learners]
        assert found == expected
        assert {pk: set(one.evidence) for pk, one in judged.items()} == {
            learner.pk: codes_with_evidence(one.statuses, subject.waived)
            for learner, one, subject in zip(learners, expected, stated, strict=True)
        }


def codes_with_evidence(statuses: dict[str, str], waived: frozenset[str]) -> set[str]:
    """The requirements that are met or waived; what is known about the program shows nothing."""
    return {
        code
        for code, status in statuses.items()
        if code not in oracle.OWN_CHECKS
        and (code in waived or (status == "pass" and not code.startswith("requirements_")))
    }


def stating(subject: oracle.Subject, world: World, sets: Sequence[str]) -> oracle.Subject:
    """The drawn subject in the terms of this world: its versions, its elective sets."""
    places = {f"elective set {number}": code for number, code in enumerate(sets[:2])}
    letter = subject.letter
    if letter and letter.version is not None and letter.version >= len(world.versions):
        letter = replace(letter, version=None)
    return replace(
        subject,
        letter=letter,
        waived=frozenset(places.get(code, code) for code in subject.waived),
    )


def store(stated: Sequence[oracle.Subject], program: Program, learners: Sequence[User]) -> None:
    """Names, lost certificates and waivers as rows, with some that must not count."""
    nameless = [u.pk for u, s in zip(learners, stated, strict=True) if not s.is_identifiable]
    User.objects.filter(pk__in=[u.pk for u in learners]).update(full_name="A Name")
    User.objects.filter(pk__in=nameless).update(full_name="")
    other_program = Program.objects.create(title="Another")
    ProgramCertificate.objects.bulk_create(
        ProgramCertificate(
            user=learner,
            program=program if subject.has_lost_certificate else other_program,
            status="revoked",
            source=CertificateSource.LMS,
            awarded_at=AT - timedelta(days=9),
            revoked_at=AT,
            revocation_kind=RevocationKind.DECIDED,
        )
        for learner, subject in zip(learners, stated, strict=True)
    )
    LetterWaiver.objects.bulk_create(
        LetterWaiver(
            user=learner, program=program, code=code, reason="x", granted_at=AT, expires_at=None
        )
        for learner, subject in zip(learners, stated, strict=True)
        for code in subject.waived
    )
    LetterWaiver.objects.bulk_create(
        LetterWaiver(**{"user": learner, "program": program, "reason": "x"} | idle)
        for learner, subject in zip(learners, stated, strict=True)
        for code in sorted(set(WAIVABLE) - subject.waived)
        for idle in (
            {"code": code, "granted_at": AT + INSTANT},
            {"code": code, "granted_at": AT - DAY, "withdrawn_at": AT},
        )
    )


def as_subjects(
    stated: Sequence[oracle.Subject],
    program: Program,
    learners: Sequence[User],
    versions: Sequence[ProgramRequirementsVersion],
) -> Fragment:
    held = [subject.letter for subject in stated]
    return Fragment(
        "SELECT user_id, %s::bigint AS program_id, version_id, issued_at, state"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[])"
        " AS given (user_id, version_id, issued_at, state)",
        (
            program.pk,
            [learner.pk for learner in learners],
            [versions[one.version].pk if one and one.version is not None else None for one in held],
            [one.issued_at.isoformat() if one and one.issued_at else None for one in held],
            [one.state if one else None for one in held],
        ),
    )


def as_expected(one: Judgement) -> oracle.Expected:
    return oracle.Expected(
        verdict=one.verdict.value,
        failed_checks=one.failed_checks,
        planned_action=one.planned_action.value,
        completed_at=one.completed_at,
        statuses={check.code: check.status for check in one.checks},
    )


def test_the_form_without_evidence_says_the_same() -> None:
    program, run = one_course_program()
    good, bad = issue(program, *graduates(run, 2))
    grade(run, bad.user, percent="0.1", at=AT + DAY)

    fragment = judged_letters(ProgramLetter.objects.all(), at=AT + DAY)

    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT letter_id, verdict, failed_checks, planned_action FROM ({fragment.sql}) AS row"  # noqa: S608 - our own SQL
            " ORDER BY letter_id",
            fragment.params,
        )
        found = cursor.fetchall()
    assert found == [
        (good.pk, Verdict.VALID, [], PlannedAction.NONE),
        (bad.pk, Verdict.INVALID, [f"core_course:{run.course.key}"], PlannedAction.SUSPEND),
    ]
