"""Where the address of a certificate leads that the list tells."""

import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from programs.enums import ProgramStatus
from programs.models import CourseCertificate, CourseRun, Program, ProgramCertificate
from tests.programs.credentials_api.conftest import UNKNOWN, Caller, client_of, path_of
from tests.programs.factories import CourseCertificateFactory, program_requiring

pytestmark = pytest.mark.django_db


def address_of(certificate: CourseCertificate | ProgramCertificate) -> str:
    return f"/credentials/{certificate.uuid.hex}/"


def test_leads_its_learner_to_the_record(
    as_ada: APIClient, of_program: ProgramCertificate, of_run: CourseCertificate
) -> None:
    for certificate in (of_program, of_run):
        answer = as_ada.get(address_of(certificate))

        record = f"/programs/{of_program.program.uuid}/"
        assert (answer.status_code, answer["Location"]) == (302, record)
        assert "no-store" in answer["Cache-Control"]


def test_leads_to_a_program_that_is_listed_rather_than_to_another(
    as_ada: APIClient, program: Program, of_run: CourseCertificate
) -> None:
    program_requiring(
        core=[of_run.course_run.course], title="A deleted one", status=ProgramStatus.DELETED
    )

    assert as_ada.get(address_of(of_run))["Location"] == f"/programs/{program.uuid}/"


def test_leads_staff_to_the_admin(as_caller: Caller, of_program: ProgramCertificate) -> None:
    answer = as_caller("viewer").get(address_of(of_program))

    admin = f"/admin/programs/programcertificate/{of_program.pk}/change/"
    assert (answer.status_code, answer["Location"]) == (302, admin)


def test_asks_whoever_is_not_signed_in_to_do_so_whether_there_is_a_certificate_or_not(
    as_caller: Caller, of_program: ProgramCertificate, of_run: CourseCertificate
) -> None:
    revoked: CourseCertificate = CourseCertificateFactory.create(revoked=True)
    addresses = [address_of(one) for one in (of_program, of_run, revoked)]

    for address in (*addresses, f"/credentials/{UNKNOWN.replace('-', '')}/"):
        answer = as_caller("anonymous").get(address)

        assert (answer.status_code, answer["Location"]) == (
            302,
            f"/accounts/login/?next={address}",
        )


@pytest.mark.parametrize("name", ["bob", "clerk"])
def test_leads_nobody_else_anywhere(
    as_caller: Caller, of_program: ProgramCertificate, name: str
) -> None:
    assert as_caller(name).get(address_of(of_program)).status_code == 404


def test_leads_nowhere_where_no_program_has_its_run(ada: User) -> None:
    certificate = CourseCertificateFactory.create(user=ada)

    assert client_of(ada).get(address_of(certificate)).status_code == 404


def test_leads_nowhere_once_revoked(
    lms: APIClient, as_ada: APIClient, of_program: ProgramCertificate
) -> None:
    lms.delete(path_of(of_program))

    assert as_ada.get(address_of(of_program)).status_code == 404


def test_leads_nowhere_before_it_is_visible(
    as_ada: APIClient, run: CourseRun, of_program: ProgramCertificate
) -> None:
    run.certificate_configurations.create(
        certificate_type="verified", certificate_available_date="2999-01-01T00:00:00Z"
    )

    assert as_ada.get(address_of(of_program)).status_code == 404


def test_an_unknown_one_leads_nowhere(as_ada: APIClient) -> None:
    for written in (UNKNOWN.replace("-", ""), UNKNOWN, "x"):
        assert as_ada.get(f"/credentials/{written}/").status_code == 404
