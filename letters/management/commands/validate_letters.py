from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management import CommandError, CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from letters import selectors, services
from letters.enums import Against, LetterState
from letters.services import PlanScope, PlanTally
from programs import selectors as programs


class Command(OperatorCommand):
    """Prints `run` (null in a dry run), `as_of`, `dry_run`, `total`, `valid`, `invalid`,
    `indeterminate`, `reasons` (check → letters that fail it), `actions`."""

    help = (
        "Judge letters and store the result as a plan. No letter changes: look at the plan"
        " (--output), then `apply_letter_plan RUN`."
    )
    report_columns = selectors.PLAN_COLUMNS

    def add_options(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--program", metavar="ID", help="Only letters of this program: uuid or primary key.")
        add(
            "--state",
            action="append",
            choices=LetterState.values,
            help=(
                "Only letters in this state (repeatable). Default: all but revoked ones;"
                " of letters that you name, all."
            ),
        )
        add("--issued-from", type=arguments.instant, metavar="ISO", help="Issued then or later.")
        add("--issued-to", type=arguments.instant, metavar="ISO", help="Issued before then.")
        add("--letter", type=arguments.uuid, action="append", metavar="UUID", help="Repeatable.")
        add("--ids-file", type=Path, metavar="FILE", help="Letter uuids, one a line.")
        add(
            "--against",
            choices=Against.values,
            default=Against.ISSUE,
            help="Requirements to judge by: those at issue (default), or the current ones.",
        )
        add("--batch-size", type=arguments.positive_int, default=10_000, metavar="N")

    def run(self, run: CommandRun) -> Summary:
        scope = _scope(run.options)
        by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
        if run.dry_run:
            return _summary(run, _preview(run, scope), uuid=None)
        plan = services.start_plan(scope, by=by)
        for after, upto in run.batches(services.pages(scope, size=run.options["batch_size"])):
            services.plan_page(run=plan, scope=scope, after=after, upto=upto)
        tally = services.finish_plan(plan, at=run.at, is_complete=not run.was_interrupted)
        if run.options["output"]:
            run.report.rows(selectors.plan_rows(plan))
        return _summary(run, tally, uuid=plan.uuid)


def _scope(options: Any) -> PlanScope:
    program = options["program"]
    named = _letters(options["letter"], options["ids_file"])
    states = options["state"] or (PlanScope.states if named is None else LetterState.values)
    return PlanScope(
        program_id=None if program is None else programs.program_by_identifier(program).pk,
        states=tuple(LetterState(state) for state in states),
        issued_from=options["issued_from"],
        issued_to=options["issued_to"],
        letter_uuids=named,
        against=Against(options["against"]),
    )


def _letters(uuids: list[UUID] | None, path: Path | None) -> tuple[UUID, ...] | None:
    if uuids is None and path is None:
        return None
    named = (*(uuids or ()), *(_read(path) if path is not None else ()))
    services.require_letters(named)
    return named


def _read(path: Path) -> Iterator[UUID]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--ids-file {path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield UUID(line.strip())
            except ValueError:
                raise CommandError(f"--ids-file {path}, line {number}: no uuid.") from None


def _preview(run: CommandRun, scope: PlanScope) -> PlanTally:
    tally = PlanTally()
    for after, upto in run.batches(services.pages(scope, size=run.options["batch_size"])):
        verdicts = services.preview_page(scope=scope, after=after, upto=upto, at=run.at)
        for _letter_id, verdict, failed_checks, action in verdicts:
            tally.verdicts[verdict] += 1
            tally.actions[action] += 1
            tally.reasons.update(failed_checks)
        if run.options["output"]:
            run.report.rows(selectors.preview_rows(verdicts))
    return tally


def _summary(run: CommandRun, tally: PlanTally, *, uuid: UUID | None) -> Summary:
    return Summary(
        {
            "run": str(uuid) if uuid else None,
            "as_of": run.at.isoformat(),
            "dry_run": run.dry_run,
            "total": tally.total,
            "valid": tally.verdicts["valid"],
            "invalid": tally.verdicts["invalid"],
            "indeterminate": tally.verdicts["indeterminate"],
            "reasons": dict(tally.reasons.most_common()),
            "actions": {
                action: count for action, count in tally.actions.most_common() if action != "none"
            },
        }
    )
