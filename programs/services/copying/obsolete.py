"""What came from a catalog that does not have it any more."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef, Q
from simple_history.utils import get_history_manager_for_model

from credentials_portal.core.bisect import in_halves
from credentials_portal.core.history import Attribution, delete_with_history
from credentials_portal.core.retries import retry_conflicts
from programs.models import CourseMode, CourseOwner, PathwayProgram, ProgramAuthor
from programs.services.copying.matching import MODELS
from programs.services.copying.programs import CATALOG_CAUSES
from programs.services.copying.records import COURSES, PATHWAYS, PROGRAMS, RUNS, TABLES

# Rows that belong to another one and go with it: by table, the model and its column.
PARTS: dict[str, tuple[type[models.Model], str]] = {
    COURSES: (CourseOwner, "course"),
    RUNS: (CourseMode, "course_run"),
    PROGRAMS: (ProgramAuthor, "program"),
    PATHWAYS: (PathwayProgram, "pathway"),
}
ORDER = tuple(reversed(TABLES))
"""What refers to others goes first."""


@dataclass(frozen=True)
class Obsolete:
    """A row of ours that the catalog dropped; one that something refers to stays."""

    table: str
    pk: int
    uuid: UUID
    name: str
    is_referred_to: bool


def obsolete_rows(
    table: str, present: Collection[UUID], going: Mapping[str, Collection[int]]
) -> list[Obsolete]:
    """Rows that a catalog wrote here and that are none of `present`, ours by uuid: one statement.

    What was made here, and never written by a catalog, is nobody's to delete. `going` are rows of
    other tables that are deleted before these.
    """
    model = MODELS[table]
    written = get_history_manager_for_model(model).model.objects.filter(cause__in=CATALOG_CAUSES)
    rows = (
        model._default_manager.filter(pk__in=written.values("id"))
        .exclude(uuid__in=list(present))
        .annotate(is_referred_to=_is_referred_to(table, going))
        .order_by("pk")
    )
    return [Obsolete(table, row.pk, row.uuid, str(row), row.is_referred_to) for row in rows]


def _is_referred_to(table: str, going: Mapping[str, Collection[int]]) -> Any:
    """Whether any row of any app refers to it, but for those that go with it."""
    parts = PARTS.get(table, (None, ""))[0]
    leaving = {(MODELS[name], "pk"): pks for name, pks in going.items()}
    leaving |= {PARTS[name]: pks for name, pks in going.items() if name in PARTS}
    found: Any = Q(pk__in=[])
    for model, column in _references(MODELS[table]):
        if model is parts:
            continue
        is_uuid = column.endswith("_uuid")
        rows = model._base_manager.filter(**{column: OuterRef("uuid" if is_uuid else "pk")})
        for (gone, its_column), pks in leaving.items():
            if gone is model:
                rows = rows.exclude(**{f"{its_column}__in": list(pks)})
        found |= Q(Exists(rows))
    return models.ExpressionWrapper(found, output_field=models.BooleanField())


def _references(model: type[models.Model]) -> Iterator[tuple[type[models.Model], str]]:
    """Foreign keys to the model, and columns such as `course_uuid`; histories do not count."""
    by_uuid = f"{model._meta.model_name}_uuid"
    for other in apps.get_models(include_auto_created=True):
        if hasattr(other, "history_type"):
            continue
        for column in other._meta.concrete_fields:
            if column.remote_field and column.remote_field.model is model:
                yield other, column.attname
            elif column.name == by_uuid and isinstance(column, models.UUIDField):
                yield other, column.name


@retry_conflicts
@transaction.atomic
def delete_obsolete(rows: Sequence[Obsolete], *, by: Attribution) -> list[Obsolete]:
    """Delete these rows of one table, with their parts; those that could not be are returned."""
    kept: list[Obsolete] = []

    def delete(some: Sequence[Obsolete]) -> None:
        pks = [row.pk for row in some]
        if some[0].table in PARTS:
            model, column = PARTS[some[0].table]
            parts = model._default_manager.filter(**{f"{column}__in": pks})
            if hasattr(model, "history"):
                delete_with_history(model, list(parts.values_list("pk", flat=True)), by=by)
            else:
                parts.delete()
        delete_with_history(MODELS[some[0].table], pks, by=by)
        # Whatever refers to them by now is told here, not at the commit.
        connection.check_constraints()

    def keep(row: Obsolete, _error: Exception) -> None:
        kept.append(row)

    for _deleted in in_halves(rows, delete, failed=keep):
        pass
    return kept
