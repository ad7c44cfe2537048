"""The old service's catalog: organizations, courses, runs, programs, pathways."""

from collections.abc import Callable, Sequence

from programs.enums import PathwayStatus, PathwayType, ProgramStatus
from programs.services.copying import (
    COURSES,
    ORGANIZATIONS,
    PATHWAYS,
    PROGRAMS,
    RUNS,
    CatalogCopy,
    Record,
    Verdict,
)
from programs.services.copying import Outcome as Copied
from programs.services.copying.records import MOST_HOURS, organization, pathway, program, run
from programs.services.credentials_service.cells import Cells, Outcome, Page, Result, Row, Work


def _organization(cells: Cells) -> Record:
    return organization(
        cells.uuid("uuid"),
        key=cells.text("key"),
        name=cells.optional_text("name"),
        logo=cells.optional_text("certificate_logo_image_url", max_length=512),
    )


def _course(cells: Cells) -> Record:
    return Record(
        table=COURSES,
        uuid=cells.uuid("uuid"),
        name=cells.text("key"),
        key=cells.text("key"),
        values={"title": cells.optional_text("title")},
        links=cells.uuids("owners"),
    )


def _run(cells: Cells) -> Record:
    return run(
        cells.uuid("uuid"),
        course=cells.uuid("course"),
        key=cells.text("key"),
        title=cells.optional_text("title_override"),
        start=cells.instant("start_date"),
        end=cells.instant("end_date"),
    )


def _program(cells: Cells) -> Record:
    """The old service knows no courses of a program but those of its runs."""
    return program(
        cells.uuid("uuid"),
        title=cells.text("title"),
        type=cells.optional_text("type", max_length=32),
        type_slug=cells.optional_text("type_slug", max_length=32),
        status=cells.optional_text("status") or ProgramStatus.ACTIVE,
        hours=cells.number("total_hours_of_effort", most=MOST_HOURS),
        authors=cells.uuids("authoring_organizations"),
        runs=cells.uuids("course_runs"),
        courses=None,
    )


def _pathway(cells: Cells) -> Record:
    return pathway(
        cells.uuid("uuid"),
        name=cells.text("name"),
        org_name=cells.optional_text("org_name"),
        email=cells.optional_text("email", max_length=254),
        pathway_type=cells.optional_text("pathway_type") or PathwayType.CREDIT,
        status=cells.optional_text("status") or PathwayStatus.PUBLISHED,
        programs=cells.uuids("programs"),
    )


READERS: dict[str, Callable[[Cells], Record]] = {
    ORGANIZATIONS: _organization,
    COURSES: _course,
    RUNS: _run,
    PROGRAMS: _program,
    PATHWAYS: _pathway,
}

OUTCOMES = {
    Copied.CREATED: Outcome.IMPORTED,
    Copied.CHANGED: Outcome.IMPORTED,
    Copied.UNCHANGED: Outcome.UNCHANGED,
    Copied.MERGED: Outcome.MERGED,
    Copied.REJECTED: Outcome.REJECTED,
}


class OldCatalog:
    """Rows of the catalog become ours; what is here already stays as it is."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._copy = CatalogCopy(by=work.by, keeps_existing=True, dry_run=work.dry_run)

    def bring(self, table: str, rows: Sequence[Row]) -> list[Result]:
        page = Page(rows)
        drafts = page.drafted(lambda cells: (READERS[table](cells), ""))
        waiting: dict[str, list[Row]] = {}
        for row, record in drafts:
            waiting.setdefault(str(record.uuid), []).append(row)
        for batch in self._copy.match(table, [record for _row, record in drafts]):
            for verdict in self._copy.write(table, batch):
                page.tell(waiting[str(verdict.uuid)].pop(0), *_told(verdict))
        results = [page.results[row.number] for row in rows]
        here = {result.row.number for result in results if result.outcome != Outcome.REJECTED}
        self._work.note(table, {_name(record): "" for row, record in drafts if row.number in here})
        return results


def _name(record: Record) -> str:
    """What rows of other tables call it."""
    return record.key if record.table == RUNS else str(record.uuid)


def _told(verdict: Verdict) -> tuple[Outcome, str]:
    outcome = OUTCOMES[verdict.outcome]
    if outcome == Outcome.IMPORTED and verdict.reason:
        outcome = Outcome.MENDED
    return outcome, verdict.reason
