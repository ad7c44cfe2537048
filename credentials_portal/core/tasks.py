import time

from celery import shared_task
from django.utils import timezone

from credentials_portal.core import outbox
from credentials_portal.core.outbox.writing import TASK

# A worker that is told to stop ends its task first. Beat goes on with what is left.
RUN_SECONDS = 50


@shared_task(name=TASK)
def deliver_outbox(*kinds: str) -> None:
    """Deliver what is due, of all kinds or of these, for a while."""
    end = time.monotonic() + RUN_SECONDS
    outbox.deliver_due(clock=timezone.now, only=kinds, must_stop=lambda: time.monotonic() >= end)
