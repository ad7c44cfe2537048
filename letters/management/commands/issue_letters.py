from collections.abc import Iterator, Sequence

from django.core.management import CommandParser

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution
from letters import selectors, services
from letters.enums import RunKind
from letters.services import Breaker, IssueTally
from programs import selectors as programs

PAGE = 1_000


class Command(OperatorCommand):
    """Prints `issued`, `pending`, `not_eligible`, `errors`, `reasons` (check → learners who
    failed it), `run` (what holds the pending ones; null when nothing is held)."""

    help = (
        "Issue letters to learners who completed an active program and have none. Beyond a"
        " program's breaker, and for its first letters ever, they are created pending until"
        " `revalidate_letters --release RUN`. A program without requirements is refused."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--program",
            action="append",
            metavar="ID",
            help="Only this program, by uuid or primary key (repeatable). Default: all active ones.",
        )

    def run(self, run: CommandRun) -> Summary:
        by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
        held_by = services.new_run(RunKind.ISSUE, by=by)
        program_ids = _scope(run.options["program"])
        undefined = set(program_ids) - programs.programs_with_requirements(program_ids, at=run.at)
        tally = IssueTally()
        breakers: dict[int, Breaker] = {}
        for program_id, user_ids in run.batches(_pages(program_ids)):
            if run.dry_run:
                breaker = breakers.setdefault(program_id, services.read_breaker(program_id, by=by))
                tally.add(
                    services.preview_issue(
                        program_id=program_id, user_ids=user_ids, breaker=breaker, by=by
                    )
                )
            else:
                tally.add(
                    services.issue_letters(
                        program_id=program_id, user_ids=user_ids, run=held_by, by=by
                    )
                )
        return Summary(
            {
                "issued": tally.issued,
                "pending": tally.pending,
                "not_eligible": tally.not_eligible,
                "errors": tally.errors,
                "reasons": dict(tally.reasons.most_common()),
                "run": services.saved_uuid(held_by),
            },
            failed=tally.errors,
            refused=_refusal(undefined),
        )


def _scope(identifiers: Sequence[str] | None) -> list[int]:
    if identifiers is None:
        return programs.active_program_ids()
    named = [programs.program_by_identifier(identifier) for identifier in identifiers]
    for program in named:
        if program.pk not in programs.active_program_ids([program.pk]):
            raise ConflictError(
                f"Program {program.uuid} is {program.status}: no letters are issued."
            )
    return list(dict.fromkeys(program.pk for program in named))


def _pages(program_ids: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    for program_id in program_ids:
        learners = selectors.learners_without_letter(program_id)
        for start in range(0, len(learners), PAGE):
            yield program_id, learners[start : start + PAGE]


def _refusal(undefined: set[int]) -> str | None:
    if not undefined:
        return None
    listed = ", ".join(str(program_id) for program_id in sorted(undefined))
    return f"requirements_defined: program {listed} has no requirements, so nobody completed it."
