"""Whether the portal works: facts for the health page and the start page of staff. No person in them."""

from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, connection
from django.db.models import Count, Min, Q
from django.utils import timezone
from kombu import Connection as BrokerConnection
from kombu.exceptions import KombuError

from credentials_portal.core.models import JobRun, OutboxHold, OutboxMessage
from credentials_portal.core.models.outbox import STUCK, UNFINISHED, OutboxStatus

logger = structlog.get_logger(__name__)


def health_facts() -> dict[str, Any]:
    """What is up and what waits. Never raises; without the database `outbox` and `jobs` are None.

    `broker` is None where none is configured. `oldest_seconds` is how long the oldest message
    that could leave by now has waited since it was written.
    """
    facts: dict[str, Any] = {"database": False, "broker": _broker_answers()}
    facts |= {"outbox": None, "jobs": None}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        facts["database"] = True
        facts |= {"outbox": _outbox(timezone.now()), "jobs": _jobs()}
    except Error:
        logger.exception("health_check_failed")
    return facts


def _broker_answers() -> bool | None:
    if not settings.CELERY_BROKER_URL:
        return None
    with BrokerConnection(
        settings.CELERY_BROKER_URL,
        connect_timeout=settings.CELERY_BROKER_CONNECTION_TIMEOUT,
        transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS,
    ) as broker:
        errors = (*broker.connection_errors, *broker.channel_errors)
        failures: tuple[type[BaseException], ...] = (OSError, KombuError, *errors)
        try:
            # Connects once: the transport's options say how long it may take.
            _channel = broker.default_channel
        except failures:
            return False
    return True


def _outbox(at: datetime) -> dict[str, Any]:
    counts = OutboxMessage.objects.filter(status__in=(*UNFINISHED, *STUCK)).aggregate(
        pending=Count("pk", filter=Q(status__in=UNFINISHED)),
        oldest=Min("created_at", filter=Q(status__in=UNFINISHED, due_at__lte=at)),
        dead=Count("pk", filter=Q(status=OutboxStatus.DEAD)),
        uncertain=Count("pk", filter=Q(status=OutboxStatus.UNCERTAIN)),
    )
    oldest = counts.pop("oldest")
    return {
        **counts,
        "oldest_seconds": int((at - oldest).total_seconds()) if oldest else 0,
        "is_on_hold": OutboxHold.objects.exists(),
    }


def _jobs() -> dict[str, dict[str, Any]]:
    """The last run of each command."""
    return {
        run.name: {"outcome": run.outcome, "started_at": run.started_at, "ended_at": run.ended_at}
        for run in JobRun.objects.last_of_each_job()
    }
