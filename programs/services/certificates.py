from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.dispatch import Signal

from credentials_portal.core.caps import Cap
from credentials_portal.core.events import announce
from credentials_portal.core.history import (
    Attribution,
    update_with_history,
    upsert_with_history,
)
from credentials_portal.core.retries import retry_conflicts
from programs import selectors
from programs.enums import CertificateSource, CertificateStatus, RevocationKind
from programs.models import CourseCertificate, Program, ProgramCertificate
from programs.selectors import CertificateChanges
from programs.signals import (
    ProgramFact,
    RunFact,
    course_certificate_awarded,
    course_certificate_revoked,
    program_certificate_awarded,
    program_certificate_revoked,
)


@dataclass(frozen=True)
class CertificateRecord:
    """A course certificate as a source tells it."""

    user_id: int
    course_run_id: int
    awarded_at: datetime
    status: CertificateStatus = CertificateStatus.AWARDED
    revoked_at: datetime | None = None
    mode: str = "verified"
    source: CertificateSource = CertificateSource.LMS


@transaction.atomic
def record_course_certificates(records: Iterable[CertificateRecord], *, by: Attribution) -> int:
    """Store certificates, new or changed; returns how many changed.

    The last of several records of one learner and run counts. A revocation without a date keeps
    the date of the one that is stored, else it is `by.at`. Announces `course_certificate_awarded`
    and `course_certificate_revoked` for those that changed.
    """
    latest = {(record.user_id, record.course_run_id): record for record in records}
    revoked_at = _revocation_dates(latest)
    changed = upsert_with_history(
        CourseCertificate,
        [
            {
                **vars(record),
                "revoked_at": (record.revoked_at or revoked_at.get(key) or by.at)
                if record.status == CertificateStatus.REVOKED
                else None,
            }
            for key, record in latest.items()
        ],
        key=("user_id", "course_run_id"),
        returning=("status", "user_id", "course_run_id"),
        by=by,
    )
    for status, signal in (
        (CertificateStatus.AWARDED, course_certificate_awarded),
        (CertificateStatus.REVOKED, course_certificate_revoked),
    ):
        facts = [RunFact(*row.values[1:]) for row in changed if row.values[0] == status]
        announce(signal, facts, at=by.at, actor=by.actor, cause=by.cause)
    return len(changed)


@retry_conflicts
@transaction.atomic
def award_program_certificates(
    *, program: Program, by: Attribution, cap: Cap | None = None
) -> CertificateChanges:
    """Award computed certificates to those who completed the program, revoke the others'.

    Only certificates that the portal itself computed are revoked, and of revoked ones only
    those that the portal revoked itself are awarded again. A program that is not active is left
    alone. Running it again changes nothing. Raises `CapExceeded` when `cap` does not let pass
    so many revocations out of the computed certificates.
    """
    program = Program.objects.select_for_update(no_key=True).get(pk=program.pk)
    changes = selectors.certificate_changes(program=program, at=by.at)
    if cap:
        cap.check(len(changes.to_revoke), of=changes.held)
    upsert_with_history(
        ProgramCertificate,
        [
            {
                "user_id": user_id,
                "program_id": program.pk,
                "status": CertificateStatus.AWARDED,
                "source": CertificateSource.COMPUTED,
                "awarded_at": by.at,
                "revoked_at": None,
                "revocation_kind": "",
                "revocation_reason": "",
            }
            for user_id in changes.to_award
        ],
        key=("user_id", "program_id"),
        returning=("user_id",),
        by=by,
    )
    _announce(program_certificate_awarded, program, changes.to_award, by)
    _revoke(program, changes.to_revoke, RevocationKind.NOT_COMPLETE, by)
    return changes


@transaction.atomic
def revoke_program_certificates(
    *, program: Program, user_ids: Sequence[int], reason: str, by: Attribution
) -> tuple[int, ...]:
    """Revoke awarded certificates, from any source; returns the ids of those who lost theirs."""
    Program.objects.select_for_update(no_key=True).get(pk=program.pk)
    return _revoke(program, user_ids, RevocationKind.DECIDED, by, reason=reason)


def _revoke(
    program: Program,
    user_ids: Sequence[int],
    kind: RevocationKind,
    by: Attribution,
    *,
    reason: str = "",
) -> tuple[int, ...]:
    revoked = update_with_history(
        ProgramCertificate.objects.filter(
            program=program, user_id__in=user_ids, status=CertificateStatus.AWARDED
        ),
        {
            "status": CertificateStatus.REVOKED,
            "revoked_at": by.at,
            "revocation_kind": kind,
            "revocation_reason": reason,
        },
        returning=("user_id",),
        by=by,
    )
    losers = tuple(user_id for (user_id,) in revoked)
    _announce(program_certificate_revoked, program, losers, by)
    return losers


def _revocation_dates(keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], datetime | None]:
    """When the stored certificates of these (user, run) were revoked; they are locked."""
    stored = (
        CourseCertificate.objects.select_for_update(no_key=True)
        .filter(user_id__in={user for user, _ in keys}, course_run_id__in={run for _, run in keys})
        .order_by("pk")
    )
    return {
        (user_id, course_run_id): revoked_at
        for user_id, course_run_id, revoked_at in stored.values_list(
            "user_id", "course_run_id", "revoked_at"
        )
    }


def _announce(signal: Signal, program: Program, user_ids: Sequence[int], by: Attribution) -> None:
    facts = [ProgramFact(user_id, program.pk) for user_id in user_ids]
    announce(signal, facts, at=by.at, actor=by.actor, cause=by.cause)
