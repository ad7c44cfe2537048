from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser, call_command

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.web import demo


class Command(OperatorCommand):
    """Prints `seeded`: whether this run made it."""

    help = "Make the demo institution, once, and tell how to sign in to it."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--force",
            action="store_true",
            help="Even where PORTAL_DEMO is not set. The passwords are public.",
        )

    def handle(self, *args: str, **options: Any) -> None:
        super().handle(*args, **options)
        if options["format"] == "text" and demo.is_seeded():
            self.stdout.write(_box())

    def run(self, run: CommandRun) -> Summary:
        if not (settings.DEMO or run.options["force"]):
            raise CommandError(
                "This database is not said to be a demo's: nothing was done. Set PORTAL_DEMO=1,"
                " or use --force."
            )
        if run.dry_run:
            return Summary({"seeded": not demo.is_seeded()})
        if not demo.is_seeded():
            # Last night's run: what the demo leaves to be done waits for its visitors, or for the
            # next night.
            call_command("expire_subscriptions", "--with-unlink", stdout=StringIO())
        return Summary({"seeded": demo.seed_demo(at=run.at)})


def _box() -> str:
    width = max(map(len, demo.LOGINS))
    logins = [
        f"{username:<{width}}   {demo.PASSWORD}   {who}" for username, who in demo.LOGINS.items()
    ]
    lines = [f"The demo institution: {settings.PORTAL_BASE_URL}/", "", *logins]
    inside = max(map(len, lines))
    frame = f"+{'-' * (inside + 2)}+"
    return "\n".join([frame, *(f"| {line:<{inside}} |" for line in lines), frame])
