from typing import Any

from django.core.management import CommandError, CommandParser

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.models.outbox import OutboxHold, OutboxMessage, OutboxStatus
from credentials_portal.core.outbox.kinds import registered


class Command(OperatorCommand):
    help = (
        "Stop delivery of the outbox, of one kind or of all, until it is released. What is in "
        "delivery ends normally."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=["hold", "release", "show"])
        parser.add_argument("--kind", default="", help="Only this kind. Default: everything.")
        parser.add_argument("--reason", default="", metavar="TEXT", help="Why; needed to hold.")

    def run(self, run: CommandRun) -> Summary:
        kind, verb = run.options["kind"], run.options["verb"]
        if verb == "hold" and not run.reason.strip():
            raise CommandError("hold needs --reason.")
        changed = 0 if verb == "show" else self._switch(kind, verb == "hold", run)
        holds: dict[str, Any] = {
            hold.kind or "everything": hold.reason for hold in OutboxHold.objects.order_by("kind")
        }
        in_delivery = OutboxMessage.objects.filter(status=OutboxStatus.DELIVERING).count()
        return Summary({"changed": changed, "holds": holds, "in_delivery": in_delivery})

    def _switch(self, kind: str, is_hold: bool, run: CommandRun) -> int:
        existing = OutboxHold.objects.filter(kind=kind)
        # A misspelled hold would stop nothing, in silence.
        if kind and kind not in registered and not existing.exists():
            raise CommandError(f"--kind {kind}: there is only {', '.join(sorted(registered))}.")
        if run.dry_run:
            return int(existing.exists() != is_hold)
        if not is_hold:
            return existing.delete()[0]
        _hold, is_new = OutboxHold.objects.get_or_create(
            kind=kind, defaults={"reason": run.reason, "held_at": run.at}
        )
        return int(is_new)
