import logging
import time

from celery import shared_task
from django.core.management import CommandError, call_command
from django.utils import timezone

from credentials_portal.core import outbox
from credentials_portal.core.commands import EXIT_ALREADY_RUNNING
from credentials_portal.core.outbox.writing import TASK

logger = logging.getLogger(__name__)

# A worker that is told to stop ends its task first. Beat goes on with what is left.
RUN_SECONDS = 50


@shared_task(name=TASK)
def deliver_outbox(*kinds: str) -> None:
    """Deliver what is due, of all kinds or of these, for a while."""
    end = time.monotonic() + RUN_SECONDS
    outbox.deliver_due(clock=timezone.now, only=kinds, must_stop=lambda: time.monotonic() >= end)


@shared_task(name="core.run_command")
def run_command(name: str, *arguments: str) -> None:
    """Run an operator's command, as cron would; one that is running already is left alone."""
    try:
        call_command(name, *arguments)
    except CommandError as error:
        if error.returncode != EXIT_ALREADY_RUNNING:
            raise
        logger.info("command_already_running", extra={"command": name})
