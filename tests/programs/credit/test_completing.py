"""A program that is completed after a request: the learner hears of it, and nobody else."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.events import announce
from credentials_portal.core.history import bulk_create_with_history
from credentials_portal.core.models import OutboxMessage
from programs.enums import CertificateSource, CertificateStatus
from programs.models import (
    CourseCertificateConfiguration,
    Pathway,
    Program,
    ProgramCertificate,
    UserCreditPathway,
)
from programs.services import award_program_certificates, revoke_program_certificates
from programs.services.credit.completing import queue_completion_mails
from programs.signals import ProgramFact, program_certificate_awarded
from tests.core.outbox.mail_server import MailServer
from tests.letters.conftest import Statements
from tests.letters.mails import arrived, deliver, part
from tests.programs.credit.asking import (
    ask,
    by_at,
    certify,
    mails_of,
    mails_to,
    program_of_one_course,
)
from tests.programs.factories import (
    AT,
    CourseCertificateFactory,
    CreditRequestFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    pathway_of,
)

pytestmark = pytest.mark.django_db

PORTAL = "https://portal.example.org"
NORTH = "registrar@north.example"
DAY = timedelta(days=1)
SUBJECT = "You completed Data Science: ask again for credit?"


@pytest.fixture
def program() -> Program:
    return program_of_one_course(title="Data Science")


@pytest.fixture
def asked(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> UserCreditPathway:
    """A request about a record that was not complete, which the institution has."""
    request, _is_new = ask(ann, program, pathway)
    deliver()
    mail_server.received.clear()
    return request


def award(program: Program, *learners: User, at: datetime = AT + DAY) -> None:
    """The learners complete the program, and the portal notes it."""
    for learner in learners:
        certify(learner, program, at=at)
    award_program_certificates(program=program, by=by_at(at))


def revoke(program: Program, learner: User, at: datetime) -> None:
    revoke_program_certificates(
        program=program, user_ids=[learner.pk], reason="a mistake", by=by_at(at)
    )


def award_again(program: Program, learner: User, at: datetime) -> None:
    """As staff do it, or the LMS."""
    ProgramCertificate.objects.filter(user=learner).update(revocation_kind="not_complete")
    award_program_certificates(program=program, by=by_at(at))


def completions() -> list[tuple[str, str]]:
    told = OutboxMessage.objects.filter(payload__notice="program_completed").order_by("pk")
    return list(told.values_list("status", "reason"))


def test_the_learner_and_nobody_else_is_told_once_with_the_page_to_ask_again(
    ann: User, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    award(program, ann)

    deliver(AT + DAY)

    (mail,) = arrived(mail_server)
    assert (mail["To"], mail["Subject"]) == ("ann@x.org", SUBJECT)
    assert part(mail, "plain") == (
        "Hello Ann Ash,\n\n"
        "you completed Data Science since you sent your record to Northern University.\n\n"
        "The institution was not told. If it is to know, send your record again:\n"
        f"{PORTAL}/programs/{program.uuid}/credit/?pathway={asked.pathway_id}\n"
        "\n-- \nCredentials Portal sent this mail automatically. Replies are not read.\n"
    )
    ask_url = f"{PORTAL}/programs/{program.uuid}/credit/?pathway={asked.pathway_id}"
    assert f'href="{ask_url}"' in part(mail, "html")
    assert UserCreditPathway.objects.count() == 1
    assert mails_of("programs.credit_request") == [("done", "")]


def test_who_asked_many_is_told_once(
    ann: User, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    ask(ann, program, pathway_of(program), at=AT)
    ask(ann, program, pathway_of(program), at=AT)
    deliver()
    mail_server.received.clear()

    award(program, ann)
    deliver(AT + DAY)

    assert [mail["Subject"] for mail in arrived(mail_server)] == [SUBJECT]


def test_a_second_award_is_not_told_again(
    ann: User, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    award(program, ann)
    deliver(AT + DAY)
    revoke(program, ann, AT + 2 * DAY)
    # Whoever cleans up forgets that it was told.
    OutboxMessage.objects.all().delete()

    award_again(program, ann, AT + 3 * DAY)
    deliver(AT + 3 * DAY)

    assert mails_to(mail_server, "ann@x.org") == [SUBJECT]
    assert completions() == [("skipped", "told_before")]


def test_a_request_made_after_a_revocation_is_told_of_at_the_next_award(
    ann: User, program: Program, pathway: Pathway, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    award(program, ann)
    revoke(program, ann, AT + 2 * DAY)
    ask(ann, program, pathway, at=AT + 3 * DAY)
    deliver(AT + 3 * DAY)
    mail_server.received.clear()

    award_again(program, ann, AT + 4 * DAY)
    deliver(AT + 4 * DAY)

    assert mails_to(mail_server, "ann@x.org") == [SUBJECT]


def test_what_is_revoked_before_it_was_told_is_not_told(
    ann: User, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    award(program, ann)
    revoke(program, ann, AT + DAY)

    deliver(AT + DAY)

    assert mail_server.received == []
    assert completions() == [("skipped", "changed_since")]


def test_a_certificate_of_any_source_counts(
    ann: User, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    """What the LMS told is announced by whoever stores it, in the same words."""
    certify(ann, program)
    ProgramCertificateFactory.create(user=ann, program=program, from_lms=True, awarded_at=AT + DAY)
    announce(
        program_certificate_awarded,
        [ProgramFact(ann.pk, program.pk)],
        at=AT + DAY,
        actor=None,
        cause="api",
    )

    deliver(AT + DAY)

    assert mails_to(mail_server, "ann@x.org") == [SUBJECT]


def test_a_certificate_that_was_imported_is_no_news(
    ann: User, program: Program, asked: UserCreditPathway
) -> None:
    ProgramCertificateFactory.create(user=ann, program=program, source=CertificateSource.IMPORT)

    queue_completion_mails([ProgramFact(ann.pk, program.pk)], at=AT + DAY)

    assert completions() == []


@pytest.mark.parametrize(
    "request_fields",
    [
        {"failed": True},
        {"status": "withdrawn", "withdrawn_at": AT},
        {"was_completed": True},
        {"legacy": True},
    ],
    ids=str,
)
def test_requests_that_ask_nothing_any_more_are_not_told_of(
    ann: User, program: Program, pathway: Pathway, request_fields: dict[str, Any]
) -> None:
    fields = {"program": program} | request_fields
    if "legacy" in fields:
        del fields["program"]
    CreditRequestFactory.create(user=ann, pathway=pathway, **fields)

    award(program, ann)

    assert completions() == []


def test_requests_about_other_programs_are_not_told_of(ann: User, program: Program) -> None:
    """The old service mailed the institution of one program about another."""
    other = program_of_one_course()
    pathway = pathway_of(program, other)
    ask(ann, other, pathway)
    ask(LearnerFactory.create(), program, pathway)

    award(program, ann)

    assert completions() == []


def test_what_is_withdrawn_before_it_was_told_is_not_told(
    ann: User, program: Program, asked: UserCreditPathway
) -> None:
    award(program, ann)
    UserCreditPathway.objects.update(status="withdrawn", withdrawn_at=AT)

    deliver(AT + DAY)

    assert completions() == [("skipped", "changed_since")]


def test_who_has_asked_again_meanwhile_is_not_told_to(
    ann: User, program: Program, pathway: Pathway, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    """The mail waited, as for a server that was down."""
    award(program, ann)
    ask(ann, program, pathway, at=AT + DAY)

    deliver(AT + 2 * DAY)

    assert SUBJECT not in mails_to(mail_server, "ann@x.org")
    assert completions() == [("skipped", "asked_again")]


def test_who_cannot_be_told_is_not(ann: User, program: Program, asked: UserCreditPathway) -> None:
    award(program, ann)
    User.objects.filter(pk=ann.pk).update(email="")

    deliver(AT + DAY)

    assert completions() == [("skipped", "no_address")]


def test_what_is_not_shown_yet_is_told_when_it_is(
    ann: User, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    CourseCertificateConfiguration.objects.create(
        course_run=program.course_runs.get(), certificate_available_date=AT + 30 * DAY
    )
    award(program, ann)

    deliver(AT + DAY)
    assert completions() == [("skipped", "not_shown_yet"), ("pending", "")]
    deliver(AT + 30 * DAY - timedelta(seconds=1))
    assert mail_server.received == []
    deliver(AT + 30 * DAY)

    assert mails_to(mail_server, "ann@x.org") == [SUBJECT]
    assert completions() == [("skipped", "not_shown_yet"), ("done", "")]


def test_a_date_that_is_moved_is_waited_for_again(
    ann: User, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    configuration = CourseCertificateConfiguration.objects.create(
        course_run=program.course_runs.get(), certificate_available_date=AT + 10 * DAY
    )
    award(program, ann)
    deliver(AT + DAY)
    configuration.certificate_available_date = AT + 20 * DAY
    configuration.save()

    deliver(AT + 10 * DAY)
    assert mail_server.received == []
    deliver(AT + 20 * DAY)

    assert mails_to(mail_server, "ann@x.org") == [SUBJECT]


def test_a_certificate_without_any_of_its_courses_is_told_at_once(
    ann: User, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    certificate = ProgramCertificate(
        user=ann, program=program, source=CertificateSource.LMS, awarded_at=AT + DAY
    )
    bulk_create_with_history(ProgramCertificate, [certificate], by=by_at(AT + DAY))
    queue_completion_mails([ProgramFact(ann.pk, program.pk)], at=AT + DAY)

    deliver(AT + DAY)

    assert mails_to(mail_server, "ann@x.org") == [SUBJECT]


def test_a_job_that_judges_as_of_yesterday_tells_what_was_asked_today(
    ann: User, program: Program, asked: UserCreditPathway, mail_server: MailServer
) -> None:
    award(program, ann, at=AT - DAY)

    deliver(AT + DAY)

    assert mails_to(mail_server, "ann@x.org") == [SUBJECT]


def test_many_are_queued_by_as_many_statements_as_one(
    program: Program, pathway: Pathway, statements: Statements
) -> None:
    counts = []
    for number in (1, 40):
        learners = LearnerFactory.create_batch(number)
        for learner in learners:
            CreditRequestFactory.create(user=learner, program=program, pathway=pathway)
            CourseCertificateFactory.create(user=learner, course_run=program.course_runs.get())
        with statements.counted() as texts:
            award_program_certificates(program=program, by=by_at(AT + DAY))
        counts.append(len(texts))

    assert counts[0] == counts[1]
    assert len(completions()) == 41
    assert ProgramCertificate.objects.filter(status=CertificateStatus.AWARDED).count() == 41
