"""Certificates of runs and of programs as one list, in the words of the old credentials service."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import (
    BigIntegerField,
    Case,
    DateTimeField,
    Exists,
    F,
    Field,
    Max,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    UUIDField,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Coalesce

from credentials_portal.accounts.models import User
from credentials_portal.core.sql import Fragment
from programs.enums import LISTED, CertificateSource, CertificateStatus
from programs.models import (
    CourseCertificate,
    CourseCertificateConfiguration,
    Program,
    ProgramCertificate,
    ProgramCourseRun,
)

C = TypeVar("C", bound=Model)

OF_PROGRAM, OF_RUN = "program", "course-run"
COLUMNS = ("type", "id", "uuid", "user_id", "username", "status", "created", "modified")
DETAILS = ("attributes", "date_override", "program_uuid", "credential_id", "run_key", "mode")


@dataclass(frozen=True)
class ListedCertificate:
    """A certificate of a run or of a program; what the other kind has is None.

    `credential_id` is the program's configuration of certificates, where there is one.
    """

    type: str
    id: int
    uuid: UUID
    user_id: int
    username: str
    status: str
    created: datetime
    modified: datetime
    attributes: Sequence[Mapping[str, str]]
    date_override: datetime | None
    program_uuid: UUID | None
    credential_id: int | None
    run_key: str | None
    mode: str | None


@dataclass(frozen=True)
class CertificatePage:
    certificates: list[ListedCertificate]
    count: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which certificates somebody asks for: those that fulfil all of what is not None.

    `username` is one in any case, `program_uuid` asks for the program's and those of its runs,
    and `visible_at` for what learners see at that instant.
    """

    user_id: int | None = None
    username: str | None = None
    uuid: UUID | None = None
    status: str | None = None
    type: str | None = None
    program_uuid: UUID | None = None
    visible_at: datetime | None = None

    @classmethod
    def for_nothing(cls) -> Self:
        return cls(type="")

    def of_runs(self) -> QuerySet[CourseCertificate]:
        certificates = self._common(CourseCertificate.objects.all(), OF_RUN)
        if self.program_uuid:
            included = ProgramCourseRun.objects.filter(program__uuid=self.program_uuid)
            certificates = certificates.filter(course_run__in=included.values("course_run"))
        if self.visible_at:
            later = _configuration().filter(certificate_available_date__gt=self.visible_at)
            certificates = certificates.filter(~Exists(later))
        return certificates

    def of_programs(self) -> QuerySet[ProgramCertificate]:
        certificates = self._common(ProgramCertificate.objects.all(), OF_PROGRAM)
        if self.program_uuid:
            certificates = certificates.filter(program__uuid=self.program_uuid)
        if self.visible_at:
            shown = certificates.alias(shown_from=_shown_from())
            certificates = shown.filter(shown_from__lte=self.visible_at)
        return certificates

    def _common(self, certificates: QuerySet[C], type: str) -> QuerySet[C]:
        if self.type not in (None, type):
            return certificates.none()
        if self.username is not None:
            certificates = certificates.filter(user__in=User.objects.named(self.username))
        exact = {"user_id": self.user_id, "uuid": self.uuid, "status": self.status}
        return certificates.filter(**{name: one for name, one in exact.items() if one is not None})


def certificate_page(asked: Asked, *, offset: int, limit: int) -> CertificatePage:
    """Some of the certificates, in the order in which they were made, and how many there are.

    One statement. Beyond the last one the count is 0.
    """
    of_runs, of_programs = _keys(asked.of_runs(), OF_RUN), _keys(asked.of_programs(), OF_PROGRAM)
    details_of_runs, details_of_programs = _details_of_runs(), _details_of_programs()
    statement = f"""
        WITH told AS (({of_runs.sql}) UNION ALL ({of_programs.sql})),
        page AS MATERIALIZED (
            SELECT type, id, created, COUNT(*) OVER () AS of_all FROM told
            ORDER BY created, type, id LIMIT %s OFFSET %s
        )
        SELECT page.of_all, detail.*
        FROM page
        JOIN (({details_of_runs.sql}) UNION ALL ({details_of_programs.sql})) AS detail
          USING (type, id)
        ORDER BY page.created, type, id
    """  # noqa: S608 - composed of constants; every value is a parameter
    params = (
        *(*of_runs.params, *of_programs.params, limit, offset),
        *(*details_of_runs.params, *details_of_programs.params),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        found = cursor.fetchall()
    certificates = [_listed(row[1:]) for row in found]
    return CertificatePage(certificates, count=found[0][0] if found else 0)


def certificate_by_uuid(
    uuid: UUID, *, user_id: int | None = None, visible_at: datetime | None = None
) -> ListedCertificate | None:
    """The certificate with this uuid, if it is this learner's (None: anybody's) and visible."""
    asked = Asked(uuid=uuid, user_id=user_id, visible_at=visible_at)
    found = certificate_page(asked, offset=0, limit=1).certificates
    return found[0] if found else None


def completions_shown(
    *, user_id: int, after: datetime, until: datetime
) -> QuerySet[ProgramCertificate]:
    """A learner's awarded program certificates that came to be seen later than `after`."""
    asked = Asked(user_id=user_id, status=CertificateStatus.AWARDED, visible_at=until)
    return asked.of_programs().filter(Q(awarded_at__gt=after) | Q(shown_from__gt=after))


def program_to_show(certificate: ListedCertificate) -> UUID | None:
    """The program in whose record a certificate stands: a run's may stand in several, or in none.

    Those that learners find in their list come first.
    """
    if certificate.program_uuid:
        return certificate.program_uuid
    programs = Program.objects.filter(course_runs__key=certificate.run_key)
    is_listed = When(status__in=LISTED, then=0)
    by_title = programs.order_by(Case(is_listed, default=1), "title", "pk")
    return by_title.values_list("uuid", flat=True).first()


def _configuration() -> QuerySet[CourseCertificateConfiguration]:
    """What says from when a certificate of a run is seen."""
    return CourseCertificateConfiguration.objects.filter(
        course_run=OuterRef("course_run"), certificate_type=OuterRef("mode")
    )


def _shown_from() -> Coalesce:
    """From when a program certificate is seen, as `selectors.records` says of one."""
    included = ProgramCourseRun.objects.filter(program=OuterRef(OuterRef("program")))
    available_at = Subquery(_configuration().values("certificate_available_date"))
    of_courses = (
        CourseCertificate.objects.filter(
            user=OuterRef("user"), course_run__in=included.values("course_run")
        )
        .annotate(visible_from=Coalesce(available_at, F("awarded_at")))
        .order_by()
        .values("user")
        .annotate(latest=Max("visible_from"))
        .values("latest")
    )
    by_the_portal = When(source=CertificateSource.COMPUTED, then=F("awarded_at"))
    return Coalesce(Subquery(of_courses), Case(by_the_portal))


def _keys(certificates: QuerySet[Any], type: str) -> Fragment:
    keys = certificates.order_by().values_list(Value(type), "pk", "created")
    return Fragment.of(keys).renamed("type", "id", "created")


def _details_of_runs() -> Fragment:
    program = (_none(UUIDField()), _none(BigIntegerField()))
    return _details(CourseCertificate, OF_RUN, "date_override", *program, "course_run__key", "mode")


def _details_of_programs() -> Fragment:
    program = ("program__uuid", "program__certificate_configuration__pk")
    run = (_none(TextField()), _none(TextField()))
    return _details(ProgramCertificate, OF_PROGRAM, _none(DateTimeField()), *program, *run)


def _details(model: type[Model], type: str, *rest: Any) -> Fragment:
    on_page = RawSQL("SELECT id FROM page WHERE type = %s", [type])
    rows = model._default_manager.filter(pk__in=on_page).values_list(
        *(Value(type), "pk", "uuid", "user_id", "user__username", "status", "created", "modified"),
        "attributes",
        *rest,
    )
    return Fragment.of(rows).renamed(*COLUMNS, *DETAILS)


def _none(field: "Field[Any, Any]") -> Cast:
    """A null of this type: two parts of a union must agree."""
    return Cast(Value(None), field)


def _listed(values: Sequence[Any]) -> ListedCertificate:
    row = dict(zip((*COLUMNS, *DETAILS), values, strict=True))
    return ListedCertificate(**{**row, "attributes": json.loads(row["attributes"])})
