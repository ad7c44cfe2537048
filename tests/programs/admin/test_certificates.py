"""What a service told with a certificate is shown, and not edited."""

from datetime import UTC, datetime

import pytest

from tests.programs.admin.desk import member_of, page, url
from tests.programs.factories import CourseCertificateFactory, ProgramCertificateFactory

pytestmark = pytest.mark.django_db

TOLD = [{"name": "grade", "value": "<b>A</b>"}, {"name": "note", "value": "late"}]


def test_a_course_certificates_other_date_and_attributes_are_shown() -> None:
    certificate = CourseCertificateFactory.create(
        date_override=datetime(2023, 4, 5, 12, tzinfo=UTC), attributes=TOLD
    )

    told = page(member_of("Registrars"), url("coursecertificate_change", certificate.pk))

    assert "Date shown instead 5 April 2023" in told
    assert "Attributes grade: <b>A</b>; note: late" in told


def test_a_program_certificates_attributes_are_shown() -> None:
    certificate = ProgramCertificateFactory.create(attributes=TOLD)

    told = page(member_of("Registrars"), url("programcertificate_change", certificate.pk))

    assert "Attributes grade: <b>A</b>; note: late" in told


def test_nobody_edits_them() -> None:
    certificate = CourseCertificateFactory.create(attributes=TOLD)
    browser = member_of("Registrars")

    refused = browser.post(url("coursecertificate_change", certificate.pk), {"attributes": "[]"})

    assert refused.status_code == 403
    certificate.refresh_from_db()
    assert certificate.attributes == TOLD
