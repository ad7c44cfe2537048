"""Rows that another row lists in an order, such as the owners of a course."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models

from credentials_portal.core.history import (
    Attribution,
    bulk_create_with_history,
    delete_with_history,
    insert_history,
)
from programs.models import CourseOwner, PathwayProgram, ProgramAuthor


@dataclass(frozen=True)
class Links:
    """The table between two others: `parent` lists `child`ren by position."""

    model: type[models.Model]
    parent: str
    child: str
    child_table: str
    has_history: bool = False


OWNERS = Links(CourseOwner, "course", "organization", "organizations")
AUTHORS = Links(ProgramAuthor, "program", "organization", "organizations")
PROGRAMS_OF_PATHWAY = Links(PathwayProgram, "pathway", "program", "programs", has_history=True)


def stored_links(links: Links, parents: Iterable[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    """The uuids that each of these lists, in order: one statement."""
    found: dict[UUID, list[UUID]] = {}
    rows = links.model._default_manager.filter(**{f"{links.parent}__uuid__in": list(parents)})
    pairs = rows.order_by("position", "pk").values_list(
        f"{links.parent}__uuid", f"{links.child}__uuid"
    )
    for parent, child in pairs:
        found.setdefault(parent, []).append(child)
    return {parent: tuple(children) for parent, children in found.items()}


def write_links(links: Links, wanted: Mapping[int, Sequence[int]], *, by: Attribution) -> None:
    """Let each of these parents list exactly these children, all by primary key.

    A fixed number of statements. Needs an open transaction.
    """
    parent, child = f"{links.parent}_id", f"{links.child}_id"
    places = {
        (parent_id, child_id): position
        for parent_id, children in wanted.items()
        for position, child_id in enumerate(children)
    }
    stored: Any = links.model._default_manager.filter(**{f"{parent}__in": list(wanted)})
    present = {(getattr(row, parent), getattr(row, child)): row for row in stored.order_by("pk")}
    dropped = [row.pk for pair, row in present.items() if pair not in places]
    added = [
        links.model(**{parent: pair[0], child: pair[1], "position": position})
        for pair, position in sorted(places.items())
        if pair not in present
    ]
    moved: list[Any] = []
    for pair, row in present.items():
        if places.get(pair, row.position) != row.position:
            row.position = places[pair]
            moved.append(row)
    if links.has_history:
        delete_with_history(links.model, dropped, by=by)
        bulk_create_with_history(links.model, added, by=by)
    else:
        links.model._default_manager.filter(pk__in=dropped).delete()
        links.model._default_manager.bulk_create(added)
    links.model._default_manager.bulk_update(moved, ["position"])
    if links.has_history:
        insert_history(links.model, [row.pk for row in moved], history_type="~", by=by)
