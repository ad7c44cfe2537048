"""Pages that strangers open by a link, which is all the permission they need."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

Page = Callable[..., HttpResponseBase]


def public_page(page: Page) -> Page:
    """Kept by nobody, found by no search engine; and the link goes no further.

    Without a referrer, browsers send no origin with a form either, and Django refuses the form: the
    frame of such a page (`request.is_public_page`) has none.
    """

    @require_safe
    @never_cache
    @wraps(page)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.is_public_page = True  # type: ignore[attr-defined]  # for the templates
        response = page(request, *args, **kwargs)
        response["X-Robots-Tag"] = "noindex"
        response["Referrer-Policy"] = "no-referrer"
        return response

    return answer
