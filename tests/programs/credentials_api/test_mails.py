"""What a certificate that the LMS tells of sets going: a mail to its learner, and to nobody else."""

from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from programs.models import CourseCertificate, Pathway, Program, UserCreditPathway
from tests.core.outbox.mail_server import MailServer
from tests.letters.conftest import mail_port, mail_server
from tests.letters.mails import arrived, deliver
from tests.programs.credentials_api.conftest import CREDENTIALS, send
from tests.programs.factories import CreditRequestFactory, pathway_of

__all__ = ["mail_port", "mail_server"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(ada: User, program: Program, of_run: CourseCertificate) -> UserCreditPathway:
    """An institution was asked for credit before the program was completed."""
    pathway: Pathway = pathway_of(program, name="MSc Logistics", email="registrar@north.example")
    request: UserCreditPathway = CreditRequestFactory.create(
        user=ada, program=program, pathway=pathway
    )
    return request


def tell(lms: APIClient, program: Program, **more: Any) -> None:
    body = {"username": "ada", "credential": {"program_uuid": str(program.uuid)}, **more}
    assert send(lms, "POST", CREDENTIALS, body).status_code == 201
    deliver(timezone.now())


def test_the_learner_hears_once_and_no_institution_does(
    lms: APIClient, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    for _ in range(2):
        tell(lms, program)

    mails = arrived(mail_server)
    assert [mail["To"] for mail in mails] == [asked.user.email]
    assert f"/programs/{program.uuid}/credit/" in str(mails[0])


def test_nobody_hears_of_one_that_was_revoked_from_the_first(
    lms: APIClient, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    tell(lms, program, status="revoked")

    assert not OutboxMessage.objects.exists()
    assert mail_server.received == []
