"""Stop calling a remote system that does not answer, for one kind and scope."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from credentials_portal.core.models.outbox import OutboxBreaker, OutboxStatus
from credentials_portal.core.outbox.kinds import Delivery

# It opens at the fifth failure in a row, for 1 minute, then 2, 4, 8 and 16.
NOTE_FAILURE = """
    INSERT INTO core_outboxbreaker AS breaker (kind, scope, failures)
    SELECT %(kind)s, scope, 1 FROM unnest(%(scopes)s::text[]) AS scope ORDER BY scope
    ON CONFLICT (kind, scope) DO UPDATE SET
        failures = breaker.failures + 1,
        open_until = CASE WHEN breaker.failures >= 4 THEN
            %(at)s + interval '1 minute' * power(2, least(breaker.failures - 4, 4)) END
"""


def note_answers(kind: str, deliveries: Iterable[Delivery], *, at: datetime) -> None:
    """Count a failure for each scope whose remote did not answer once; forget it for the others."""
    tried = [d for d in deliveries if d.outcome.status != OutboxStatus.SKIPPED]
    answering = {d.message.scope for d in tried if d.outcome.remote_answered}
    failing = {d.message.scope for d in tried} - answering
    if answering:
        OutboxBreaker.objects.filter(kind=kind, scope__in=answering).delete()
    if failing:
        with connection.cursor() as cursor:
            cursor.execute(NOTE_FAILURE, {"kind": kind, "scopes": sorted(failing), "at": at})


def start_probes(kind: str, batch: Iterable[Any], *, until: datetime) -> None:
    """Keep other deliverers from testing the same remote at the same time."""
    scopes = {message.scope for message in batch if message.is_probe}
    if scopes:
        OutboxBreaker.objects.filter(kind=kind, scope__in=scopes).update(open_until=until)
