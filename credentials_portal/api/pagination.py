from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, Window
from rest_framework.exceptions import NotFound
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response


class PagePagination(PageNumberPagination):
    """`{count, next, previous, results}`, 20 to a page; the caller may ask for up to 100."""

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page = super().get_paginated_response_schema(schema)
        page["required"] = ["count", "next", "previous", "results"]
        page["properties"]["count"]["example"] = 1
        for neighbour in ("next", "previous"):
            page["properties"][neighbour]["example"] = None
        return page


class CountedPaginator(Paginator):  # type: ignore[type-arg]  # no generic at run time
    """Pages of rows whose number is known already."""

    def __init__(self, rows: Any, per_page: int, *, known_count: int) -> None:
        super().__init__(rows, per_page)
        self.known_count = known_count

    @cached_property
    def count(self) -> int:
        return self.known_count


class WirePagination(PageNumberPagination):
    """`{count, next, previous, results}`, 100 to a page; older services' clients know them."""

    page_size = 100
    page: Any
    keys: tuple[str, ...] = ("count", "next", "previous", "results")

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page = super().get_paginated_response_schema(schema)
        number = {"type": "integer", "example": 1}
        known = {**page["properties"], "num_pages": number, "current_page": number}
        known["start"] = {"type": "integer", "example": 0}
        for name in ("next", "previous"):
            known[name]["example"] = None
        page["properties"] = {name: known[name] for name in self.keys}
        page["required"] = list(self.keys)
        return page


class CountedPagination(WirePagination):
    """Rows and their number in one statement."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        number = page_number(request.query_params.get(self.page_query_param, "1"))
        size = self.get_page_size(request) or self.page_size
        counted = queryset.annotate(of_all=Window(Count("pk")))
        rows = list(counted[(number - 1) * size : number * size])
        if number > 1 and not rows:
            raise NotFound("Invalid page.")
        paginator = CountedPaginator(rows, size, known_count=rows[0].of_all if rows else 0)
        self.request = request
        self.page = Page(rows, number, paginator)
        return rows


class PositionPagination(WirePagination):
    """With where in the list the page stands."""

    keys = ("next", "previous", "count", "num_pages", "current_page", "start", "results")

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        facts = {
            "next": self.get_next_link(),
            "previous": self.get_previous_link(),
            "count": self.page.paginator.count,
            "num_pages": self.page.paginator.num_pages,
            "current_page": self.page.number,
            "start": (self.page.number - 1) * self.page.paginator.per_page,
            "results": data,
        }
        return Response({name: facts[name] for name in self.keys})


def page_number(written: str) -> int:
    """The number of a page as a URL writes it. Raises `NotFound`."""
    if not (written.isascii() and written.isdigit() and 0 < int(written) < 10**7):
        raise NotFound("Invalid page.")
    return int(written)
