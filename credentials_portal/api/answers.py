"""How answers are written."""

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import JSONRenderer


class _Escaped(JSONRenderer):
    ensure_ascii = True


class JSONAnswer(JSONRenderer):
    """JSON, also where it tells back what a caller sent that is no Unicode."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        try:
            return super().render(data, accepted_media_type, renderer_context)
        except UnicodeEncodeError:
            return _Escaped().render(data, accepted_media_type, renderer_context)
