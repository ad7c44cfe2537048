"""Which certificates the old service could award."""

from collections.abc import Sequence
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import models

from credentials_portal.core.history import bulk_create_with_history
from programs.models import (
    CourseCertificateConfiguration,
    CourseRun,
    Program,
    ProgramCertificateConfiguration,
)
from programs.services.copying import PROGRAMS, RUNS
from programs.services.credentials_service.cells import (
    Cells,
    Claims,
    Page,
    Result,
    Row,
    Work,
    texts_of,
    uuids_of,
)
from programs.services.nodes import RecordError

COURSE_CERTIFICATES, PROGRAM_CERTIFICATES = "course_certificates", "program_certificates"
PROGRAM_UNKNOWN = "there is no such program"
RUN_UNKNOWN = "there is no such run"


def runs_by_key(work: Work, rows: Sequence[Row]) -> dict[str, int]:
    """The ids of the runs that these rows name; 0 for one that a dry run does not write."""
    keys = texts_of(rows, "course_run")
    unwritten = dict.fromkeys(work.noted(RUNS, keys), 0)
    return unwritten | dict(CourseRun.objects.filter(key__in=keys).values_list("key", "pk"))


def programs_by_uuid(work: Work, rows: Sequence[Row]) -> dict[UUID, int]:
    """The ids of the programs that these rows name; 0 for one that a dry run does not write."""
    uuids = uuids_of(rows, "program")
    unwritten = {UUID(uuid): 0 for uuid in work.noted(PROGRAMS, uuids)}
    return unwritten | dict(Program.objects.filter(uuid__in=uuids).values_list("uuid", "pk"))


def slug(cells: Cells, key: str, *, default: str, max_length: int) -> str:
    text = cells.optional_text(key, max_length=max_length) or default
    try:
        validate_slug(text)
    except ValidationError as error:
        raise RecordError(f"{key} is no slug") from error
    return text


class Configurations:
    """Those of runs and of programs; what is here already stays as it is."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def bring_of_runs(self, rows: Sequence[Row]) -> list[Result]:
        runs = runs_by_key(self.work, rows)
        stored = CourseCertificateConfiguration.objects.filter(course_run__in=runs.values())
        pairs = stored.values_list("course_run__key", "certificate_type")
        claims = Claims(self.work, COURSE_CERTIFICATES, {f"{key}:{mode}" for key, mode in pairs})

        def draft(cells: Cells) -> tuple[CourseCertificateConfiguration | None, str]:
            key = cells.text("course_run")
            if key not in runs:
                raise RecordError(RUN_UNKNOWN)
            configuration = CourseCertificateConfiguration(
                course_run_id=runs[key],
                certificate_type=slug(cells, "certificate_type", default="verified", max_length=32),
                is_active=cells.truth("is_active", default=False),
                certificate_available_date=cells.instant("certificate_available_date"),
            )
            is_new = claims.take(key, configuration.certificate_type)
            return configuration if is_new else None, ""

        page = Page(rows)
        return page.write(page.drafted(draft), self._create, self.work)

    def bring_of_programs(self, rows: Sequence[Row]) -> list[Result]:
        programs = programs_by_uuid(self.work, rows)
        stored = ProgramCertificateConfiguration.objects.filter(program__in=programs.values())
        uuids = stored.values_list("program__uuid", flat=True)
        claims = Claims(self.work, PROGRAM_CERTIFICATES, set(map(str, uuids)))

        def draft(cells: Cells) -> tuple[ProgramCertificateConfiguration | None, str]:
            uuid = cells.uuid("program")
            if uuid not in programs:
                raise RecordError(PROGRAM_UNKNOWN)
            configuration = ProgramCertificateConfiguration(
                program_id=programs[uuid],
                title=cells.optional_text("title"),
                is_active=cells.truth("is_active", default=False),
                use_org_name=cells.truth("use_org_name", default=False),
                include_hours_of_effort=cells.truth("include_hours_of_effort", default=False),
                language=cells.optional_text("language", max_length=8),
            )
            return configuration if claims.take(uuid) else None, ""

        page = Page(rows)
        return page.write(page.drafted(draft), self._create, self.work)

    def _create(self, configurations: Sequence[models.Model]) -> None:
        if configurations:
            bulk_create_with_history(type(configurations[0]), configurations, by=self.work.by)
