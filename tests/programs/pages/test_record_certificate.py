"""What a learner's page says of the program's certificate, beside the requirements."""

from datetime import UTC, datetime

import pytest

from programs.enums import RevocationKind
from programs.models import CourseCertificateConfiguration, Program
from tests.programs.factories import GradeFactory, ProgramCertificateFactory
from tests.programs.pages.now import earn, learner, program_of, run_of, signed_in, words

pytestmark = pytest.mark.django_db


def page(program: Program) -> str:
    return f"/programs/{program.uuid}/"


@pytest.mark.parametrize(
    ("has_certificate", "is_complete", "lead", "panel"),
    [
        (True, True, "You have completed this program.", "awarded on 15 May 2024"),
        (
            True,
            False,
            "You have completed this program.",
            "It stands, though you do not meet all of today's requirements.",
        ),
        (
            False,
            True,
            "You have met all requirements of this program.",
            "not there yet You have met all requirements.",
        ),
        (
            False,
            False,
            "You have met 0 of 1 requirement of this program.",
            "not yet The certificate of the program follows when",
        ),
    ],
)
def test_certificate_and_requirements_stand_side_by_side(
    has_certificate: bool, is_complete: bool, lead: str, panel: str
) -> None:
    ada, run = learner(), run_of("Statistics")
    program = program_of(ada, run)
    if has_certificate:
        ProgramCertificateFactory.create(user=ada, program=program)
    if is_complete:
        GradeFactory.create(user=ada, course_run=run)

    said = words(signed_in(ada).get(page(program)))

    assert lead in said
    assert panel in said


@pytest.mark.parametrize(
    ("kind", "is_complete", "panel"),
    [
        (RevocationKind.DECIDED, True, "revoked The certificate of the program was taken back"),
        (RevocationKind.DECIDED, False, "revoked The certificate of the program was taken back"),
        (RevocationKind.NOT_COMPLETE, True, "not there yet You have met all requirements."),
        (RevocationKind.NOT_COMPLETE, False, "not yet The certificate of the program follows"),
    ],
)
def test_a_certificate_that_somebody_revoked_is_not_promised(
    kind: RevocationKind, is_complete: bool, panel: str
) -> None:
    ada, run = learner(), run_of("Statistics")
    program = program_of(ada, run)
    ProgramCertificateFactory.create(user=ada, program=program, revoked=True, revocation_kind=kind)
    if is_complete:
        earn(ada, run)

    assert f"Certificate {panel}" in words(signed_in(ada).get(page(program)))


def test_an_awarded_certificate_that_waits_says_until_when() -> None:
    ada, run = learner(), run_of("Statistics")
    program = program_of(ada, run)
    earn(ada, run)
    available_at = datetime(2100, 3, 3, 12, tzinfo=UTC)
    CourseCertificateConfiguration.objects.create(
        course_run=run,
        certificate_type="verified",
        is_active=True,
        certificate_available_date=available_at,
    )
    ProgramCertificateFactory.create(user=ada, program=program)

    said = words(signed_in(ada).get(page(program)))

    assert "Certificate not available yet until 3 March 2100 It is awarded" in said
