from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from letters import services


class Command(OperatorCommand):
    help = (
        "Take the revocation of one letter back, if it stands up to its checks or to its waivers."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("letter", type=arguments.uuid, metavar="UUID")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="Kept with the letter.")

    def run(self, run: CommandRun) -> Summary:
        by = Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
        changed = services.reinstate_letter(
            letter_uuid=run.options["letter"], by=by, dry_run=run.dry_run
        )
        return Summary({"letter": str(run.options["letter"]), "changed": int(changed)})
