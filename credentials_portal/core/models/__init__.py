from credentials_portal.core.models.jobs import JobRun
from credentials_portal.core.models.outbox import OutboxBreaker, OutboxHold, OutboxMessage

__all__ = ["JobRun", "OutboxBreaker", "OutboxHold", "OutboxMessage"]
