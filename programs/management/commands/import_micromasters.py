import json
from decimal import Decimal
from pathlib import Path

from django.core.management import CommandError, CommandParser

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from programs.services.micromasters import PROGRAMS, USERS, MicroMastersImport


class Command(OperatorCommand):
    help = (
        "Import MIT MicroMasters' seed files: programs with their courses, runs and requirements,"
        " and learners with their enrollments and grades. A program of the portal becomes what"
        " the file says; of learners only what is missing is added. Birth dates, addresses,"
        " education and employment are not stored. Records that cannot be loaded are told on"
        " stderr and in --output, and the rest is loaded."
    )
    report_columns = ("file", "index", "reason")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--programs", type=Path, metavar="FILE", required=True)
        parser.add_argument("--users", type=Path, metavar="FILE", required=True)

    def run(self, run: CommandRun) -> Summary:
        paths = {PROGRAMS: run.options["programs"], USERS: run.options["users"]}
        programs, users = (read_list(paths[name]) for name in (PROGRAMS, USERS))
        by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
        micromasters = MicroMastersImport(by=by, is_dry_run=run.dry_run)

        for index, record in run.batches(enumerate(programs), total=len(programs)):
            micromasters.load_program(index, record)
        if not run.was_interrupted:
            for batch in run.batches(micromasters.learner_batches(users), total=len(users)):
                micromasters.load_learners(batch)

        rejected = sorted(micromasters.rejected, key=lambda one: (one.file, one.index))
        for one in rejected:
            self.stderr.write(f"{paths[one.file]}[{one.index}]: {one.reason}")
            run.report.row(file=paths[one.file], index=one.index, reason=one.reason)
        counters = {**micromasters.tally.as_counters(), "errors": len(rejected)}
        return Summary(counters, failed=len(rejected))


def read_list(path: Path) -> list[object]:
    """The JSON list in a file; raises a `CommandError` that names file and place."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        content = json.loads(text, parse_float=Decimal)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8: byte {error.start}.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CommandError(f"{path} is not JSON: {place}: {error.msg}.") from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} is not JSON that can be read: {error}.") from error
    if not isinstance(content, list):
        raise CommandError(f"{path} is not a list of records.")
    return content
