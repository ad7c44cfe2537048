from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from letters import services
from letters.models import ProgramLetter


class Command(OperatorCommand):
    """Prints `letter`, `changed`, and `told`: 1 when a mail to its holder was queued."""

    help = "Withdraw one letter by a decision of a person; no command or sweep brings it back."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("letter", type=arguments.uuid, metavar="UUID")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="Kept with the letter.")
        parser.add_argument(
            "--notify",
            action="store_true",
            help="Tell its holder by mail, if they could have seen it; not the reason.",
        )

    def run(self, run: CommandRun) -> Summary:
        by = Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
        changed = services.revoke_letter(
            letter_uuid=run.options["letter"],
            by=by,
            notify=run.options["notify"],
            dry_run=run.dry_run,
        )
        seen = ProgramLetter.objects.filter(
            uuid=run.options["letter"], first_visible_at__isnull=False
        )
        told = changed and run.options["notify"] and seen.exists()
        return Summary(
            {"letter": str(run.options["letter"]), "changed": int(changed), "told": int(told)}
        )
