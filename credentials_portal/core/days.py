"""Days as people count them: by the calendar of who reads."""

from datetime import datetime

from django.utils import timezone


def calendar_days(start: datetime, end: datetime) -> int:
    """From one instant to another by the reader's calendar; 0 on the same day."""
    return (timezone.localdate(end) - timezone.localdate(start)).days
