"""What the lists and pages of this app share."""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from credentials_portal.accounts.models import User
from credentials_portal.core.admin_pages import LookedAt


class ExactSearch(LookedAt):
    """Searched by the whole uuid, if there is one, or by a learner's username or e-mail address.

    All of them are indexed; parts of a word would read the whole table.
    """

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q()
        if "user" in self._names():
            found |= Q(user__in=User.objects.by_login(term).values("pk"))
        if "uuid" in self._names():
            with suppress(ValueError):
                found |= Q(uuid=UUID(term))
        return queryset.filter(found) if found else queryset.none(), False

    def _names(self) -> set[str]:
        return {field.name for field in self.opts.get_fields()}


SEEN = re.compile(r"(\d{1,18})\.(\d{1,9})", re.ASCII)


def seen(pk: int, version: int) -> str:
    """How a form says which version of which row its reader saw."""
    return f"{pk}.{version}"


def parse_seen(values: Iterable[str]) -> dict[int, int]:
    """Versions by primary key; what is malformed is left out."""
    matches = filter(None, map(SEEN.fullmatch, values))
    return {int(match[1]): int(match[2]) for match in matches}
