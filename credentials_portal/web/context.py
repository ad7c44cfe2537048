from typing import Any

from django.conf import settings
from django.http import HttpRequest


def portal(_request: HttpRequest) -> dict[str, Any]:
    """What every page's frame shows."""
    return {"platform_name": settings.PLATFORM_NAME, "is_demo": settings.DEMO}
