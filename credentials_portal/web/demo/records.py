"""What the demo's learner can show an institution: two records, and who was asked for credit.

One program is completed. Of the other one course counts; each of the rest does not for another
reason.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import Delivery, Outcome
from credentials_portal.web.demo.catalog import (
    CATALOG,
    DEVELOPMENT,
    SUPPLY_CHAINS,
    Program,
    Run,
)
from credentials_portal.web.demo.learners import Learner
from programs.enums import CertificateStatus, CreditAnswer, CreditRequestSource, PathwayStatus
from programs.selectors import program_by_identifier, run_offers
from programs.selectors.consent import consent_words
from programs.selectors.credit import pathways_of
from programs.services import (
    CertificateRecord,
    GradeRecord,
    RunRecord,
    award_program_certificates,
    record_course_certificates,
    record_course_runs,
    record_grades,
)
from programs.services.configurations import configure_course_certificate
from programs.services.credit import answer_request, request_credit, withdraw_request
from programs.services.credit.notices import CREDIT_REQUEST
from programs.services.credit.outcomes import record_requests
from programs.services.institutions import PathwayRecord, record_organization, record_pathways
from programs.services.sharing import count_view, share_record

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from programs.models import UserCreditPathway

DAY = timedelta(days=1)
# Certificates come some days after a run has ended, and letters after them.
PROCESSING = 5 * DAY

PASSED, *_ = DEVELOPMENT.path(2025)
AWAITED = Run("EC4", 2025, is_autumn=True)
REVOKED = Run("EC5", 2024, is_autumn=False)
UNVERIFIED = Run("EC6", 2024, is_autumn=True)
EXCLUDED = RunRecord(
    course_key="NBx+EC7",
    course_title="Labour and Migration",
    key="course-v1:NBx+EC7+SUMMER2024",
    start=datetime.fromisoformat("2024-07-01T00:00Z"),
    end=datetime.fromisoformat("2024-08-15T00:00Z"),
)

FURTHER_GRADES = {
    AWAITED.key: Decimal("0.81"),
    REVOKED.key: Decimal("0.74"),
    UNVERIFIED.key: Decimal("0.93"),
    EXCLUDED.key: Decimal("0.77"),
}
LETTERS = tuple(zip("ABCD", map(Decimal, ("0.9", "0.8", "0.7", "0.6")), strict=True))


def demo_uuid(name: str) -> UUID:
    """The same in every demo."""
    return uuid5(NAMESPACE_URL, f"demo:{name}")


LOGISTICS = PathwayRecord(
    uuid=demo_uuid("pathway:logistics"),
    name="MSc Logistics, advanced standing",
    org_name="Harbour University",
    contact_name="Office of Graduate Admissions",
    email="admissions@harbour-university.example",
    program_ids=(),
    requires_completion=True,
    cooldown_days=7,
    consent_text=(
        "I ask Harbour University to look at my record for credit towards the MSc Logistics, and"
        " agree that its admissions office keeps what it read for two years."
    ),
)
POLICY = PathwayRecord(
    uuid=demo_uuid("pathway:policy"),
    name="Graduate Diploma in Public Policy",
    org_name="Lakeside College",
    email="registrar@lakeside-college.example",
    program_ids=(),
)
OPERATIONS = PathwayRecord(
    uuid=demo_uuid("pathway:operations"),
    name="MBA Operations",
    org_name="Mill Hill School of Management",
    email="credit@mill-hill.example",
    program_ids=(),
    status=PathwayStatus.RETIRED,
)
GRANTED_NOTE = (
    "15 of 90 ECTS credits count towards the MSc Logistics: the modules LOG-1 and LOG-3.\n"
    "Bring this note when you enroll; it holds for admission within three years."
)
TAKEN_BY = (
    (LOGISTICS, (SUPPLY_CHAINS,)),
    (POLICY, (DEVELOPMENT, SUPPLY_CHAINS)),
    (OPERATIONS, (SUPPLY_CHAINS,)),
)


def open_pathways(*, by: Attribution) -> None:
    """Let the institution own its programs, and others take their records."""
    ids = {program: program_by_identifier(str(program.uuid)).pk for program in CATALOG}
    record_organization(
        uuid=demo_uuid("organization"),
        key="NBx",
        name="Northbridge Institute",
        program_ids=list(ids.values()),
        by=by,
    )
    pathways = [
        replace(pathway, program_ids=[ids[program] for program in programs])
        for pathway, programs in TAKEN_BY
    ]
    record_pathways(pathways, by=by)


def certify(learner: Learner, *, by: Attribution) -> None:
    """The learner's results beyond the grades that came from the old system."""
    user_id = User.objects.get(username=learner.username).pk
    record_course_runs([EXCLUDED], by=by)
    runs = (*SUPPLY_CHAINS.path(2022), PASSED, AWAITED)
    awarded = {run.key: run.ends_at + PROCESSING for run in runs}
    awarded[EXCLUDED.key] = EXCLUDED.end + PROCESSING
    known = {run.key: grade for run, grade in learner.grades.items() if grade}
    grades = {key: known[key] for key in awarded.keys() & known.keys()} | FURTHER_GRADES
    ids = {key: offer.course_run_id for key, offer in run_offers({*awarded, *grades}).items()}
    record_grades(
        [_grade(user_id, ids[key], percent, key) for key, percent in grades.items()], by=by
    )
    revoked = CertificateRecord(
        user_id,
        ids[REVOKED.key],
        awarded_at=REVOKED.ends_at + PROCESSING,
        status=CertificateStatus.REVOKED,
        revoked_at=REVOKED.ends_at + 40 * DAY,
    )
    certificates = [CertificateRecord(user_id, ids[key], at) for key, at in awarded.items()]
    record_course_certificates([*certificates, revoked], by=by)
    _make_wait(AWAITED, by=by)


def _grade(user_id: int, run_id: int, percent: Decimal, key: str) -> GradeRecord:
    letter = next(letter for letter, least in LETTERS if percent >= least)
    is_verified = key != UNVERIFIED.key
    return GradeRecord(user_id, run_id, percent, letter, verified=is_verified, is_final=True)


def _make_wait(run: Run, *, by: Attribution) -> None:
    """The run's certificates are not shown for some weeks."""
    configure_course_certificate(
        run=program_by_identifier(str(DEVELOPMENT.uuid)).course_runs.get(key=run.key),
        certificate_type="verified",
        details={"is_active": True, "certificate_available_date": by.at + 21 * DAY},
        by=by,
    )


def award_completed(*, by: Attribution) -> None:
    """Award the program certificates of one program, soon after the learner completed it."""
    award_program_certificates(
        program=program_by_identifier(str(SUPPLY_CHAINS.uuid)),
        by=replace(by, at=SUPPLY_CHAINS.path(2022)[-1].ends_at + 2 * PROCESSING),
    )


def share(learner: User, *, by: Attribution) -> None:
    """A link to the completed record, which two strangers have opened."""
    program = program_by_identifier(str(SUPPLY_CHAINS.uuid))
    shared = share_record(
        user=learner,
        program=program,
        expires_at=by.at + 50 * DAY,
        by=replace(by, at=by.at - 40 * DAY, actor=learner),
    )
    _view(shared.link.pk, 31, 6, by=by)


def ask_institutions(learner: User, *, by: Attribution) -> None:
    """Three requests: credit was granted, one was withdrawn, and one is on its way now.

    What the first two would have sent left before the institution moved in: nobody is told again.
    """
    granted = _ask(learner, LOGISTICS, SUPPLY_CHAINS, days_ago=24, by=by)
    withdrawn = _ask(learner, POLICY, DEVELOPMENT, days_ago=15, by=by)
    for asked in (granted, withdrawn):
        _note_sent(asked)
    assert granted.shared_record_id  # noqa: S101 - only imported requests lack it
    _view(granted.shared_record_id, 21, 5, by=by)
    _answer(granted, CreditAnswer.RECEIVED, "", days_ago=21, by=by)
    _answer(granted, CreditAnswer.GRANTED, GRANTED_NOTE, days_ago=4, by=by)
    withdraw_request(
        request_uuid=withdrawn.uuid, by=replace(by, at=by.at - 13 * DAY, actor=learner)
    )
    _messages().filter(payload__request__in=[granted.pk, withdrawn.pk]).delete()
    _ask(learner, POLICY, SUPPLY_CHAINS, days_ago=0, by=by)


def _ask(
    learner: User, record: PathwayRecord, program: Program, *, days_ago: int, by: Attribution
) -> "UserCreditPathway":
    stored = program_by_identifier(str(program.uuid))
    pathway = next(
        one.pathway
        for one in pathways_of(program_id=stored.pk, user_id=learner.pk)
        if one.uuid == record.uuid
    )
    return request_credit(
        user=learner,
        program=stored,
        pathway_id=pathway.pk,
        source=CreditRequestSource.WEB,
        consent_text=consent_words(pathway),
        by=replace(by, at=by.at - days_ago * DAY, actor=learner),
    ).request


def _view(link_id: int, *days_ago: int, by: Attribution) -> None:
    """Somebody opened a link on these days."""
    for days in days_ago:
        count_view(shared_record_id=link_id, at=by.at - days * DAY)


def _note_sent(asked: "UserCreditPathway") -> None:
    """As if its mail had left within a minute."""
    [message] = _messages().filter(kind=CREDIT_REQUEST, payload__request=asked.pk)
    record_requests([Delivery(message, Outcome.done())], asked.requested_at + timedelta(seconds=40))


def _answer(
    asked: "UserCreditPathway",
    answer: CreditAnswer,
    note: str,
    *,
    days_ago: int,
    by: Attribution,
) -> None:
    at = by.at - days_ago * DAY
    answer_request(request_uuid=asked.uuid, answer=answer, note=note, by=replace(by, at=at))


def _messages() -> "QuerySet[OutboxMessage]":
    return OutboxMessage.objects.filter(kind__startswith="programs.")
