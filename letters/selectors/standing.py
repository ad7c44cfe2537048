"""How all letters stand, and what waits for staff."""

from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet

from letters.enums import LetterState
from letters.models import LetterRevalidation, ProgramLetter


def counts(queryset: "QuerySet[Any]", column: str) -> dict[str, int]:
    return dict(queryset.order_by(column).values_list(column).annotate(Count("pk")))


def queue_length() -> int:
    return LetterRevalidation.objects.count()


def held_counts() -> dict[str, int]:
    """What breakers hold until staff release it: queued learners, and pending letters."""
    return {
        "held": LetterRevalidation.objects.exclude(held_by=None).count(),
        "pending": ProgramLetter.objects.filter(state=LetterState.PENDING).count(),
    }


def held_since(at: datetime) -> int:
    """How many queued learners a breaker held by then and still holds."""
    return LetterRevalidation.objects.filter(held_by__started_at__lte=at).count()


def programs_with_letters() -> set[int]:
    return set(ProgramLetter.objects.order_by().values_list("program_id", flat=True).distinct())


def status_of_letters() -> dict[str, Any]:
    """How all letters stand, what is queued, and which runs hold what."""
    pending = ProgramLetter.objects.filter(state=LetterState.PENDING)
    held = LetterRevalidation.objects.exclude(held_by=None)
    runs = set(pending.values_list("issue_run__uuid", flat=True)) | set(
        held.values_list("held_by__uuid", flat=True)
    )
    return {
        "letters": counts(ProgramLetter.objects.all(), "state"),
        "suspended_because": counts(
            ProgramLetter.objects.filter(state=LetterState.SUSPENDED), "state_reason"
        ),
        "queued": queue_length(),
        "held": held.count(),
        "runs_that_hold": sorted(map(str, runs)),
    }
