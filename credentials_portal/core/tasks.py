from celery import shared_task
from django.utils import timezone

from credentials_portal.core import outbox
from credentials_portal.core.outbox.writing import TASK


@shared_task(name=TASK)
def deliver_outbox(*kinds: str) -> None:
    """Deliver what is due, of all kinds or of these."""
    outbox.deliver_due(clock=timezone.now, only=kinds)
