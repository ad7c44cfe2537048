"""Certificates and grades as a service tells of one learner at a time.

What it says nothing of stays as it is. The learner's account is locked first, so that of two
tellings at once the second one sees what the first one did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict, TypeVar
from uuid import UUID

from django.db import models, transaction
from django.dispatch import Signal

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import AccountRetiredError, NamedPerson, account_of
from credentials_portal.core.errors import NotFoundError
from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, upsert_with_history
from credentials_portal.core.retries import retry_conflicts
from programs.enums import CertificateSource, CertificateStatus, RevocationKind
from programs.models import CourseCertificate, CourseGrade, CourseRun, Program, ProgramCertificate
from programs.services.configurations import configuration_for, require_active
from programs.services.grades import GradeRecord, record_grades
from programs.signals import (
    ProgramFact,
    RunFact,
    course_certificate_awarded,
    course_certificate_revoked,
    program_certificate_awarded,
    program_certificate_revoked,
)

M = TypeVar("M", bound=models.Model)


class RunUnknownError(NotFoundError):
    """The catalog has no such run."""

    code = "run_unknown"

    def __init__(self, key: str) -> None:
        super().__init__(f"There is no course run {key}.")


class CertificateNotFoundError(NotFoundError):
    """No certificate has this uuid."""

    def __init__(self) -> None:
        super().__init__("There is no such certificate.")


class Details(TypedDict, total=False):
    """What else a source may tell of a certificate; what is left out was not told.

    Attributes are {"name", "value"}, each name once: those of other names stay.
    """

    attributes: Sequence[Mapping[str, str]]
    date_override: datetime | None


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a source says of a certificate now."""

    status: CertificateStatus
    source: CertificateSource
    mode: str = ""

    @property
    def is_awarded(self) -> bool:
        return self.status == CertificateStatus.AWARDED


@retry_conflicts
@transaction.atomic
def tell_program_certificate(
    *,
    learner: NamedPerson,
    program_uuid: UUID,
    told: Told,
    by: Attribution,
    details: Details | None = None,
) -> UUID:
    """Award or revoke a learner's certificate of a program; returns its uuid.

    The source has the last word: what the portal computed is the source's from then on, and a
    certificate that anybody revoked is awarded again. Announces `program_certificate_awarded` or
    `program_certificate_revoked` where that is news. Raises `NotConfiguredError`,
    `AccountRetiredError`.
    """
    # Nobody awards the program's certificates meanwhile (`award_program_certificates`).
    locked = Program.objects.select_for_update(no_key=True)
    program = require_active(locked.filter(uuid=program_uuid).first())
    user = account_of(learner, at=by.at)
    return _write_program_certificate(user, program, told, details or {}, by)


@retry_conflicts
@transaction.atomic
def tell_course_certificate(
    *,
    learner: NamedPerson,
    course_run_key: str,
    told: Told,
    by: Attribution,
    details: Details | None = None,
) -> UUID:
    """Award or revoke a learner's certificate of a run; returns its uuid.

    A run without a configuration gets an active one. The certificate keeps the date of its first
    award. Announces `course_certificate_awarded` or `course_certificate_revoked` where that is
    news. Raises `RunUnknownError`, `NotConfiguredError`, `AccountRetiredError`.
    """
    run = _run(course_run_key)
    configuration = configuration_for(run, mode=told.mode, by=by)
    user = account_of(learner, at=by.at)
    usual_mode = configuration.certificate_type
    return _write_course_certificate(user, run.pk, told, details or {}, by, usual_mode=usual_mode)


@retry_conflicts
@transaction.atomic
def change_certificate(*, certificate_uuid: UUID, told: Told, by: Attribution) -> None:
    """Award or revoke the certificate, of a run or a program, with this uuid.

    Announces what changed. Raises `CertificateNotFoundError`, `AccountRetiredError` for an award.
    """
    of_run = CourseCertificate.objects.filter(uuid=certificate_uuid).first()
    if of_run:
        user = _locked_user(of_run.user_id, told)
        _write_course_certificate(user, of_run.course_run_id, told, {}, by, usual_mode=of_run.mode)
        return
    of_program = ProgramCertificate.objects.filter(uuid=certificate_uuid).first()
    if of_program is None:
        raise CertificateNotFoundError
    program = Program.objects.select_for_update(no_key=True).get(pk=of_program.program_id)
    _write_program_certificate(_locked_user(of_program.user_id, told), program, told, {}, by)


class ToldGrade(TypedDict, total=False):
    """A grade as the LMS tells it; what is left out stays. `percent_grade` is a fraction."""

    percent_grade: Decimal
    letter_grade: str
    verified: bool
    lms_last_updated_at: datetime | None


@retry_conflicts
@transaction.atomic
def tell_grade(
    *, learner: NamedPerson, course_run_key: str, told: ToldGrade, by: Attribution
) -> int:
    """Store a learner's grade in a run, unless a newer one is stored; returns its id.

    Whether it is final, and from when, stays as another source said; of another percentage the
    portal decides whether it passes. Announces
    `course_grade_changed`. Raises `RunUnknownError`, `AccountRetiredError`.
    """
    run = _run(course_run_key)
    user = account_of(learner, at=by.at)
    stored = _locked(CourseGrade, user=user, course_run=run)
    known = _known(stored) if stored else {}
    if known.get("percent_grade") != told.get("percent_grade", known.get("percent_grade")):
        known["passed"] = None
    grade = GradeRecord(user_id=user.pk, course_run_id=run.pk, **{**known, **told})
    record_grades([grade], by=by)
    return CourseGrade.objects.values_list("pk", flat=True).get(user=user, course_run=run)


def _known(grade: CourseGrade) -> dict[str, Any]:
    told = ("percent_grade", "letter_grade", "verified", "lms_last_updated_at")
    kept = ("passed", "is_final", "graded_at")
    return {name: getattr(grade, name) for name in (*told, *kept)}


def _run(key: str) -> CourseRun:
    run = CourseRun.objects.filter(key=key).first()
    if run is None:
        raise RunUnknownError(key)
    return run


def _locked(model: type[M], **named: Any) -> M | None:
    return model._default_manager.select_for_update(no_key=True).filter(**named).first()


def _locked_user(user_id: int, told: Told) -> User:
    user: User = User.objects.select_for_update(no_key=True).get(pk=user_id)
    if told.is_awarded and user.is_retired:
        raise AccountRetiredError
    return user


def _write_program_certificate(
    user: User, program: Program, told: Told, details: Details, by: Attribution
) -> UUID:
    stored = _locked(ProgramCertificate, user=user, program=program)
    kind = "" if told.is_awarded else RevocationKind.DECIDED
    # What the portal took back by itself, and a source revokes, is revoked by a decision now.
    is_news = stored is None or (stored.status, stored.revocation_kind) != (told.status, kind)
    is_awarded_now = is_news and told.is_awarded
    row = {
        "user_id": user.pk,
        "program_id": program.pk,
        "awarded_at": stored.awarded_at if stored and not is_awarded_now else by.at,
        "revocation_kind": kind,
        "revocation_reason": _reason(stored, is_news=is_news, told=told, by=by),
        **_standing(stored, told, details, by),
    }
    stored_uuid = _upsert(ProgramCertificate, row, ("user_id", "program_id"), by)
    if is_news:
        fact = ProgramFact(user.pk, program.pk)
        _announce(told, program_certificate_awarded, program_certificate_revoked, fact, by)
    return stored.uuid if stored else stored_uuid


def _reason(
    stored: ProgramCertificate | None, *, is_news: bool, told: Told, by: Attribution
) -> str:
    if told.is_awarded:
        return ""
    return by.reason if stored is None or is_news else stored.revocation_reason


def _write_course_certificate(
    user: User,
    course_run_id: int,
    told: Told,
    details: Details,
    by: Attribution,
    *,
    usual_mode: str,
) -> UUID:
    stored = _locked(CourseCertificate, user=user, course_run=course_run_id)
    row = {
        "user_id": user.pk,
        "course_run_id": course_run_id,
        "mode": told.mode or (stored.mode if stored else usual_mode),
        "awarded_at": stored.awarded_at if stored else by.at,
        "date_override": details.get("date_override", stored and stored.date_override),
        **_standing(stored, told, details, by),
    }
    stored_uuid = _upsert(CourseCertificate, row, ("user_id", "course_run_id"), by)
    if stored is None or stored.status != told.status:
        fact = RunFact(user.pk, course_run_id)
        _announce(told, course_certificate_awarded, course_certificate_revoked, fact, by)
    return stored.uuid if stored else stored_uuid


def _standing(
    stored: CourseCertificate | ProgramCertificate | None,
    told: Told,
    details: Details,
    by: Attribution,
) -> dict[str, Any]:
    """The columns that both kinds of certificates have. Who revokes one does not vouch for it."""
    revoked_at = (stored.revoked_at if stored else None) or by.at
    return {
        "status": told.status,
        "source": stored.source if stored and not told.is_awarded else told.source,
        "revoked_at": None if told.is_awarded else revoked_at,
        "attributes": _merged(stored.attributes if stored else [], details.get("attributes", ())),
    }


def _merged(
    stored: Sequence[Mapping[str, str]], told: Sequence[Mapping[str, str]]
) -> list[dict[str, str]]:
    values = {one["name"]: one["value"] for one in (*stored, *told)}
    return [{"name": name, "value": value} for name, value in values.items()]


def _upsert(
    model: type[CourseCertificate | ProgramCertificate],
    row: dict[str, Any],
    key: tuple[str, str],
    by: Attribution,
) -> Any:
    """The uuid of the row, if it is new or changed."""
    changed = upsert_with_history(model, [row], key=key, returning=("uuid",), by=by)
    return changed[0].values[0] if changed else None


def _announce(told: Told, awarded: Signal, revoked: Signal, fact: Any, by: Attribution) -> None:
    signal = awarded if told.is_awarded else revoked
    announce(signal, (fact,), at=by.at, actor=by.actor, cause=by.cause)
