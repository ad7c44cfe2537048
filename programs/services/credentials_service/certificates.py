"""Certificates of the old service, with their uuids and dates, and what it kept with them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q
from django.dispatch import Signal

from credentials_portal.core.events import announce
from credentials_portal.core.history import bulk_create_with_history, update_each_with_history
from programs.enums import CertificateSource, CertificateStatus, RevocationKind
from programs.models import CourseCertificate, ProgramCertificate
from programs.services.credentials_service.cells import (
    Cells,
    Claims,
    Page,
    Result,
    Row,
    Work,
    uuids_of,
)
from programs.services.credentials_service.configurations import (
    PROGRAM_UNKNOWN,
    RUN_UNKNOWN,
    programs_by_uuid,
    runs_by_key,
    slug,
)
from programs.services.credentials_service.people import Learner, People
from programs.services.nodes import RecordError
from programs.signals import (
    ProgramFact,
    RunFact,
    course_certificate_awarded,
    course_certificate_revoked,
    program_certificate_awarded,
    program_certificate_revoked,
)

USER_CREDENTIALS, DATE_OVERRIDES = "user_credentials", "date_overrides"
ATTRIBUTES = "attributes"
OWNERS = "certificate_owners"
"""What a dry run notes besides: whose certificate for what there would be."""

ANOTHER = "the learner has another certificate for the same, which stands for it"
CERTIFICATE_UNKNOWN = "its certificate is not here"
NOT_OF_A_RUN = "its certificate is one of a program, whose date follows from its runs"
LONGEST_VALUE = 255

Certificate = CourseCertificate | ProgramCertificate
SIGNALS: Mapping[tuple[type, str], Signal] = {
    (CourseCertificate, CertificateStatus.AWARDED): course_certificate_awarded,
    (CourseCertificate, CertificateStatus.REVOKED): course_certificate_revoked,
    (ProgramCertificate, CertificateStatus.AWARDED): program_certificate_awarded,
    (ProgramCertificate, CertificateStatus.REVOKED): program_certificate_revoked,
}


class _Draft(NamedTuple):
    learner: Learner
    certificate: Certificate


class Certificates:
    """Certificates of runs and of programs; what is here already stays as it is."""

    def __init__(self, work: Work, people: People) -> None:
        self.work = work
        self.people = people

    def bring(self, rows: Sequence[Row]) -> list[Result]:
        """Import certificates. Those who are told of awards and revocations hear of these, too."""
        page = Page(rows)
        drafts = _Drafts(self.work, self.people, rows)
        made = page.drafted(drafts.draft)
        return page.write(made, drafts.write, self.work)

    def bring_dates(self, rows: Sequence[Row]) -> list[Result]:
        """Give certificates of runs the date that is shown instead, where they have none."""
        owned = _Owned(self.work, rows)
        stored = {
            uuid: one for uuid, one in owned.stored.items() if isinstance(one, CourseCertificate)
        }
        dated = {str(uuid) for uuid, one in stored.items() if one.date_override}
        claims = Claims(self.work, DATE_OVERRIDES, dated)

        def draft(cells: Cells) -> tuple[tuple[int, Any] | None, str]:
            uuid = owned.require(cells)
            if uuid in owned.of_programs:
                raise RecordError(NOT_OF_A_RUN)
            date = cells.instant("date")
            if date is None:
                raise RecordError("date is missing")
            if not claims.take(uuid):
                return None, ""
            return (stored[uuid].pk if uuid in stored else 0, date), ""

        def write(dates: list[tuple[int, Any]]) -> None:
            values = {pk: {"date_override": date} for pk, date in dates}
            update_each_with_history(CourseCertificate, values, by=self.work.by)

        page = Page(rows)
        return page.write(page.drafted(draft), write, self.work)

    def bring_attributes(self, rows: Sequence[Row]) -> list[Result]:
        """Keep what the LMS keeps with a certificate, each name once."""
        owned = _Owned(self.work, rows)
        named = {
            f"{certificate.uuid}:{one['name']}"
            for certificate in owned.stored.values()
            for one in certificate.attributes
        }
        claims = Claims(self.work, ATTRIBUTES, named)

        def draft(cells: Cells) -> tuple[tuple[UUID, dict[str, str]] | None, str]:
            uuid = owned.require(cells)
            name = cells.text("name")
            attribute = {
                "name": name,
                "value": cells.optional_text("value", max_length=LONGEST_VALUE),
            }
            return ((uuid, attribute) if claims.take(uuid, name) else None), ""

        def write(attributes: list[tuple[UUID, dict[str, str]]]) -> None:
            for model in (CourseCertificate, ProgramCertificate):
                values: dict[int, dict[str, Any]] = {}
                for uuid, attribute in attributes:
                    certificate = owned.stored[uuid]
                    if isinstance(certificate, model):
                        given = values.setdefault(
                            certificate.pk, {"attributes": [*certificate.attributes]}
                        )
                        given["attributes"].append(attribute)
                update_each_with_history(model, values, by=self.work.by)

        page = Page(rows)
        return page.write(page.drafted(draft), write, self.work)


class _Owned:
    """The certificates that rows about them name."""

    def __init__(self, work: Work, rows: Sequence[Row]) -> None:
        uuids = uuids_of(rows, "user_credential")
        of_runs = work.locked(CourseCertificate.objects.filter(uuid__in=uuids))
        of_programs = work.locked(ProgramCertificate.objects.filter(uuid__in=uuids))
        self.stored: dict[UUID, Certificate] = {one.uuid: one for one in of_runs}
        self.stored |= {one.uuid: one for one in of_programs}
        noted = work.noted(USER_CREDENTIALS, uuids)
        self.known = {*self.stored, *map(UUID, noted)}
        self.of_programs = {
            uuid for uuid, one in self.stored.items() if isinstance(one, ProgramCertificate)
        } | {UUID(uuid) for uuid, text in noted.items() if text == "program"}

    def require(self, cells: Cells) -> UUID:
        uuid = cells.uuid("user_credential")
        if uuid not in self.known:
            raise RecordError(CERTIFICATE_UNKNOWN)
        return uuid


class _Drafts:
    """Drafts of a page, with all that is here of what its rows name."""

    def __init__(self, work: Work, people: People, rows: Sequence[Row]) -> None:
        self.work = work
        self.people = people.of(rows)
        self.runs = runs_by_key(work, rows)
        self.programs = programs_by_uuid(work, rows)
        uuids = uuids_of(rows, "uuid")
        users = Q(user__in=self.people.pks)
        of_runs = CourseCertificate.objects.filter(
            Q(uuid__in=uuids) | users & Q(course_run__in=self.runs.values())
        ).values_list("uuid", "user_id", "course_run__key")
        of_programs = ProgramCertificate.objects.filter(
            Q(uuid__in=uuids) | users & Q(program__in=self.programs.values())
        ).values_list("uuid", "user_id", "program__uuid")
        stored = [*of_runs, *of_programs]
        self.here = {uuid for uuid, *_owner in stored} | set(
            map(UUID, work.noted(USER_CREDENTIALS, uuids))
        )
        self.owners = Claims(work, OWNERS, {f"{user_id}:{what}" for _uuid, user_id, what in stored})

    def draft(self, cells: Cells) -> tuple[_Draft | None, str]:
        uuid, learner = cells.uuid("uuid"), self.people.learner(cells)
        is_of_run = bool(cells.optional_text("course_run"))
        if is_of_run == bool(cells.optional_text("program")):
            raise RecordError("it is one of a run, or one of a program")
        made = self._of_run(cells) if is_of_run else self._of_program(cells)
        certificate, what = made
        certificate.uuid = uuid
        if uuid in self.here:
            return None, ""
        if not self.owners.take(learner.key, what):
            return None, ANOTHER
        self.here.add(uuid)
        self.work.note(USER_CREDENTIALS, {str(uuid): "run" if is_of_run else "program"})
        return _Draft(learner, certificate), ""

    def _of_run(self, cells: Cells) -> tuple[Certificate, object]:
        key = cells.text("course_run")
        if key not in self.runs:
            raise RecordError(RUN_UNKNOWN)
        certificate = CourseCertificate(
            course_run_id=self.runs[key],
            mode=slug(cells, "mode", default="verified", max_length=100),
            **self._standing(cells),
        )
        return certificate, key

    def _of_program(self, cells: Cells) -> tuple[Certificate, object]:
        uuid = cells.uuid("program")
        if uuid not in self.programs:
            raise RecordError(PROGRAM_UNKNOWN)
        standing = self._standing(cells)
        is_revoked = standing["status"] == CertificateStatus.REVOKED
        certificate = ProgramCertificate(
            program_id=self.programs[uuid],
            revocation_kind=RevocationKind.DECIDED if is_revoked else "",
            **standing,
        )
        return certificate, uuid

    def _standing(self, cells: Cells) -> dict[str, Any]:
        status = cells.text("status")
        if status not in CertificateStatus.values:
            raise RecordError("status is unknown")
        created = cells.past("created", at=self.work.by.at)
        modified = cells.optional_past("modified", at=self.work.by.at) or created
        return {
            "status": CertificateStatus(status),
            "source": CertificateSource.IMPORT,
            "awarded_at": created,
            "revoked_at": modified if status == CertificateStatus.REVOKED else None,
            "created": created,
            "modified": modified,
        }

    def write(self, drafts: Sequence[_Draft]) -> None:
        pks = self.people.made(draft.learner for draft in drafts)
        by = self.work.by
        for learner, certificate in drafts:
            certificate.user_id = pks[learner.key]
        made = sorted((draft.certificate for draft in drafts), key=_order)
        for model in (CourseCertificate, ProgramCertificate):
            of_model = [one for one in made if isinstance(one, model)]
            bulk_create_with_history(model, of_model, by=by)
            for status in CertificateStatus:
                facts = [_fact(one) for one in of_model if one.status == status]
                signal = SIGNALS[model, status]
                announce(signal, facts, at=by.at, actor=by.actor, cause=by.cause)


def _order(certificate: Certificate) -> tuple[int, int]:
    """The order in which multi-row inserts lock."""
    if isinstance(certificate, CourseCertificate):
        return certificate.user_id, certificate.course_run_id
    return certificate.user_id, certificate.program_id


def _fact(certificate: Certificate) -> RunFact | ProgramFact:
    if isinstance(certificate, CourseCertificate):
        return RunFact(certificate.user_id, certificate.course_run_id)
    return ProgramFact(certificate.user_id, certificate.program_id)
