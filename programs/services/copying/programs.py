"""What a catalog says of a program: which runs it includes, and which courses it asks for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import DataError, IntegrityError, transaction

from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from programs.enums import GroupKind
from programs.models import (
    CourseRun,
    Program,
    ProgramCourseRun,
    ProgramRequirementsVersion,
    RequirementCourse,
)
from programs.services.copying.matching import Known, Match
from programs.services.copying.records import COURSES, PROGRAMS, RUNS
from programs.services.copying.rows import (
    REFUSED_BY_DATABASE,
    Outcome,
    Verdict,
    pks_of,
)
from programs.services.requirements import RequiredGroup, define_requirements, include_runs

NOTE = "All courses of the program, as its catalog says."
"""Tells requirements that a catalog may replace from those that somebody defined here."""

CATALOG_CAUSES = frozenset({"command:copy_catalog", "command:import_credentials_service"})
DEFINED_HERE = "its requirements and runs were changed here, and stay"
NO_COURSE = "courses that it asks for are not here: what it requires stays as it is"
LISTS_NONE = "the catalog lists no course of it: what it requires stays as it is"


@dataclass(frozen=True)
class Standing:
    """What is here of a program. `courses` is None where it never had requirements."""

    runs: tuple[UUID, ...] = ()
    courses: frozenset[UUID] | None = None
    has_electives: bool = False
    # Somebody, or another import, defined what it requires, or which runs count.
    is_ours: bool = False

    def asks_for(self, courses: Iterable[UUID]) -> bool:
        """Whether it asks for all of these; what never had requirements asks for nothing."""
        return not self.has_electives and frozenset(courses) == (self.courses or frozenset())


@dataclass(frozen=True)
class Wanted:
    uuid: UUID
    runs: tuple[UUID, ...]
    courses: tuple[UUID, ...]

    def is_met_by(self, standing: Standing) -> bool:
        return standing.asks_for(self.courses) and self.runs == standing.runs


@dataclass(frozen=True)
class ProgramContents:
    """What belongs to programs whose own rows are here; `replaced` names those of ours to redo.

    With `lacks_runs` some of the catalog's could not be read.
    """

    known: Known
    by: Attribution
    course_of_run: Mapping[UUID, UUID]
    keeps_existing: bool = False
    dry_run: bool = False
    replaced: frozenset[UUID] = frozenset()
    lacks_runs: bool = False

    def write(self, matches: Sequence[Match], verdicts: Iterable[Verdict]) -> list[Verdict]:
        """Tell anew what became of each, and write what changes: a transaction for each program."""
        told = {verdict.uuid: verdict for verdict in verdicts}
        live = [match for match in matches if told[match.record.uuid].outcome != Outcome.REJECTED]
        standings = standings_of(match.uuid for match in live)
        for match in live:
            before = told[match.record.uuid]
            standing = standings.get(match.uuid, Standing())
            # A run that was interrupted left a program without anything.
            is_kept = self.keeps_existing and before.outcome == Outcome.UNCHANGED
            if not is_kept or standing == Standing():
                told[match.record.uuid] = self._written(match, standing, before)
        return list(told.values())

    def _written(self, match: Match, standing: Standing, verdict: Verdict) -> Verdict:
        wanted, reason = self._wanted(match, standing)
        if reason:
            verdict = _with(verdict, reason)
        if wanted is None or wanted.is_met_by(standing):
            return verdict
        is_replaced = match.uuid in self.replaced
        if standing.is_ours and not is_replaced:
            return _with(verdict, DEFINED_HERE)
        if not self.dry_run:
            try:
                _define(wanted, by=self.by, is_replaced=is_replaced)
            except (DataError, IntegrityError, DomainError):
                return verdict._replace(outcome=Outcome.REJECTED, reason=REFUSED_BY_DATABASE)
        is_new = verdict.outcome == Outcome.CREATED
        return verdict if is_new else verdict._replace(outcome=Outcome.CHANGED)

    def _wanted(self, match: Match, standing: Standing) -> tuple[Wanted | None, str]:
        """None where nothing can be made of what the catalog lists.

        To ask for less than it does is to give away; what asks for nothing is met by nobody.
        """
        record = match.record
        runs, missing = self.known.own_all(RUNS, record.runs)
        told = f"{missing} of its runs are not here" if missing else ""
        if missing and self.lacks_runs:
            runs = tuple(dict.fromkeys((*standing.runs, *runs)))
        if record.courses is None:
            courses, missing = tuple(dict.fromkeys(self.course_of_run[run] for run in runs)), 0
        else:
            courses, missing = self.known.own_all(COURSES, record.courses)
        if missing:
            return None, NO_COURSE
        if standing.courses and not courses:
            return None, LISTS_NONE
        return Wanted(match.uuid, runs, courses), told


def _with(verdict: Verdict, reason: str) -> Verdict:
    return verdict._replace(reason="; ".join(filter(None, (verdict.reason, reason))))


def standings_of(uuids: Iterable[UUID]) -> dict[UUID, Standing]:
    """What is here of these programs: a fixed number of statements."""
    programs = {pk: uuid for uuid, pk in pks_of(PROGRAMS, uuids).items() if uuid}
    included = ProgramCourseRun.objects.filter(program__in=programs).order_by("position", "pk")
    runs: dict[int, list[UUID]] = {}
    for program_id, uuid in included.values_list("program_id", "course_run__uuid"):
        runs.setdefault(program_id, []).append(uuid)
    newest = ProgramRequirementsVersion.objects.filter(program__in=programs)
    versions = {
        program_id: (version_id, note)
        for program_id, version_id, note in newest.order_by("program_id", "-number")
        .distinct("program_id")
        .values_list("program_id", "pk", "note")
    }
    members = RequirementCourse.objects.filter(version__in=[pk for pk, _note in versions.values()])
    courses: dict[int, set[UUID]] = {}
    with_electives: set[int] = set()
    for version_id, uuid, kind in members.values_list("version_id", "course__uuid", "group__kind"):
        courses.setdefault(version_id, set()).add(uuid)
        if kind != GroupKind.CORE:
            with_electives.add(version_id)
    changed_here = _programs_with_runs_of_ours(programs)
    found = {}
    for pk, uuid in programs.items():
        version_id, note = versions.get(pk, (0, NOTE))
        found[uuid] = Standing(
            runs=tuple(runs.get(pk, ())),
            courses=frozenset(courses.get(version_id, ())) if version_id else None,
            has_electives=version_id in with_electives,
            is_ours=note != NOTE or pk in changed_here,
        )
    return found


def _programs_with_runs_of_ours(program_ids: Iterable[int]) -> set[int]:
    """Those whose included runs were last changed by somebody else than a catalog."""
    rows = ProgramCourseRun.history.filter(program_id__in=list(program_ids))
    newest = rows.order_by("program_id", "-history_id").distinct("program_id")
    return {
        program_id
        for program_id, cause in newest.values_list("program_id", "cause")
        if cause not in CATALOG_CAUSES
    }


@retry_conflicts
@transaction.atomic
def _define(wanted: Wanted, *, by: Attribution, is_replaced: bool) -> None:
    """Include these runs and ask for these courses, unless somebody defined others meanwhile."""
    program = Program.objects.select_for_update(no_key=True).get(uuid=wanted.uuid)
    standing = standings_of([wanted.uuid])[wanted.uuid]
    if standing.is_ours and not is_replaced:
        return
    runs = pks_of(RUNS, wanted.runs)
    include_runs(program=program, course_run_ids=[runs[uuid] for uuid in wanted.runs], by=by)
    if standing.asks_for(wanted.courses):
        return
    courses = pks_of(COURSES, wanted.courses)
    ids = tuple(courses[uuid] for uuid in wanted.courses)
    latest = program.requirements_versions.order_by("number").last()
    starts = CourseRun.objects.filter(pk__in=runs.values()).values_list("start_date", flat=True)
    began_at = min([by.at, *(start for start in starts if start)])
    define_requirements(
        program=program,
        groups=[RequiredGroup(ids)] if ids else [],
        note=NOTE,
        effective_from=max(by.at, latest.effective_from) if latest else began_at,
        by=by,
    )
