"""What the pages of records print."""

from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def percent(fraction: Decimal | None) -> str:
    """A grade in whole percent, rounded as the learner records of Open edX round; "" for none."""
    if fraction is None:
        return ""
    whole = (fraction * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return f"{number_format(whole)}\N{NO-BREAK SPACE}%"


@register.filter
def exact_percent(fraction: Decimal) -> str:
    """A grade in percent as it is stored: rounded, 59.96 of 60 would seem enough."""
    return f"{number_format((fraction * 100).normalize() + 0)}\N{NO-BREAK SPACE}%"


@register.filter
def without_prefix(run_key: str) -> str:
    """A run's key as people know it."""
    return run_key.removeprefix("course-v1:")
