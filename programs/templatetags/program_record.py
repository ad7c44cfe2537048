"""What the pages of records print."""

from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.utils.formats import number_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

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
def course_id(run_key: str) -> SafeString:
    """A run's key as people know it; where it needs two lines, it breaks between its parts."""
    parts = run_key.removeprefix("course-v1:").split("+")
    return format_html_join(SafeString("+<wbr>"), "{}", ((part,) for part in parts))
