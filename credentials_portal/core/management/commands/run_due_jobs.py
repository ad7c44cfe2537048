"""The whole schedule in one line of cron, or in one process."""

import signal
import threading
from types import FrameType
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser, call_command
from django.db import close_old_connections
from django.utils import timezone

from credentials_portal.core import arguments
from credentials_portal.core.commands import (
    EXIT_ALREADY_RUNNING,
    EXIT_FAILED_ITEMS,
    EXIT_INTERRUPTED,
    stop_listeners,
)
from credentials_portal.core.schedule import due_jobs


class Command(BaseCommand):
    help = (
        "Run every job of the schedule that is due and has not run: once, for a line of cron each"
        " few minutes, or with --follow until it is told to stop. Each job records its own run."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_over = threading.Event()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--follow", action="store_true", help="Go on until SIGTERM or SIGINT.")
        parser.add_argument(
            "--interval",
            type=arguments.positive_int,
            default=30,
            metavar="SECONDS",
            help="With --follow: how often to look.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        stop_listeners.append(self.is_over.set)
        try:
            failed = self._follow(options["interval"]) if options["follow"] else self._run_due()
        finally:
            stop_listeners.remove(self.is_over.set)
        if failed:
            raise CommandError(
                f"Not all went well: {', '.join(failed)}.", returncode=EXIT_FAILED_ITEMS
            )

    def _follow(self, interval_seconds: int) -> list[str]:
        """Go on until told to stop. What failed is told by its own job run, and by `job_status`."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.is_over.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        while not self.is_over.is_set():
            close_old_connections()
            self._run_due()
            self.is_over.wait(interval_seconds)
        return []

    def _run_due(self) -> list[str]:
        """Run what is due, one after the other; the names of those that did not end well."""
        failed = []
        for line in due_jobs(timezone.now()):
            if self.is_over.is_set():
                break
            try:
                call_command(*line, stdout=self.stdout, stderr=self.stderr)
            except CommandError as error:
                if error.returncode not in {EXIT_ALREADY_RUNNING, EXIT_INTERRUPTED}:
                    self.stderr.write(f"{line[0]}: {error}")
                    failed.append(line[0])
        return failed
