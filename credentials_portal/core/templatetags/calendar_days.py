from datetime import datetime

from django import template

from credentials_portal.core.days import calendar_days

register = template.Library()


@register.filter
def days_after(end: datetime, start: datetime) -> int:
    """How far `end` is from `start`, in days of the reader's calendar."""
    return calendar_days(start, end)
