"""History rows for set-based writes, and their check against the live rows.

`simple_history` writes a history row when one object is saved. The statements here do it for
any number of rows at once. Attribution is always explicit; there is no history middleware.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.apps import apps
from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models.sql import UpdateQuery
from simple_history.models import HistoricalRecords
from simple_history.signals import pre_create_historical_record
from simple_history.utils import get_history_manager_for_model

from credentials_portal.core.personal import erase_names, register

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True)
class Attribution:
    """Who changed something, when, why, and through what."""

    at: datetime
    actor: "User | None" = None
    reason: str = ""
    cause: str = ""

    @property
    def history_columns(self) -> dict[str, Any]:
        return {
            "history_date": self.at,
            "history_user_id": self.actor.pk if self.actor else None,
            "history_change_reason": self.reason or None,
            "cause": self.cause,
        }


class HistoricalBase(models.Model):
    """What every history table has beyond simple_history's own columns."""

    cause = models.CharField(max_length=100, blank=True)

    class Meta:
        abstract = True


def history_records(**kwargs: Any) -> HistoricalRecords:
    """Declare a model's history the way that this portal's statements expect it."""
    return HistoricalRecords(
        bases=[HistoricalBase],
        history_change_reason_field=models.TextField(null=True),
        **kwargs,
    )


def save_with_history(*instances: models.Model, by: Attribution) -> None:
    """Save each instance with one attributed history row."""
    attribution = {
        "_history_user": by.actor,
        "_history_date": by.at,
        "_change_reason": by.reason or None,
        "_history_cause": by.cause,
    }
    for instance in instances:
        vars(instance).update(attribution)
        try:
            instance.save()
        finally:
            for name in attribution:
                vars(instance).pop(name, None)


def _set_cause(instance: models.Model, history_instance: Any, **_kwargs: Any) -> None:
    history_instance.cause = getattr(instance, "_history_cause", "")


pre_create_historical_record.connect(_set_cause, dispatch_uid="core.history.set_cause")


@dataclass(frozen=True)
class Upserted:
    is_new: bool
    values: tuple[Any, ...]


def insert_history(
    model: type[models.Model], pks: Sequence[Any], *, history_type: str, by: Attribution
) -> None:
    """Write one history row for each live row of `model` named by `pks`, in one statement.

    `history_type` is simple_history's: "+" created, "~" changed, "-" about to be deleted.
    """
    if not pks:
        return
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(_pk_column(model))
    insert, params = _history_insert(model, history_type=history_type, by=by)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{insert} FROM {table} AS changed WHERE changed.{key} = ANY(%s)",
            [*params, list(pks)],
        )


def bulk_create_with_history(model: type[M], instances: Iterable[M], *, by: Attribution) -> list[M]:
    """`bulk_create` and the history of the new rows: two statements per 5,000 rows."""
    created = model._default_manager.bulk_create(instances, batch_size=5_000)
    for start in range(0, len(created), 5_000):
        pks = [instance.pk for instance in created[start : start + 5_000]]
        insert_history(model, pks, history_type="+", by=by)
    return created


def update_with_history(
    queryset: models.QuerySet[M],
    values: Mapping[str, Any],
    *,
    by: Attribution,
    returning: Sequence[str] = ("pk",),
    limit: int | None = None,
) -> list[tuple[Any, ...]]:
    """Lock, judge and write in one statement: the rows that `queryset` selects get `values`.

    Rows are locked in primary-key order before the condition is trusted, so what changed
    meanwhile is judged again, not overwritten. `values` takes what `QuerySet.update` takes; a
    `modified` field is set to `by.at`. Returns the fields `returning` of the changed rows, in
    primary-key order, `limit` of them at most. Needs an open transaction.
    """
    model = queryset.model
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(_pk_column(model))

    due = (
        queryset.order_by("pk")
        .select_for_update(of=("self",), no_key=True)
        .values(_field(model, "pk"))
    )
    try:
        due_sql, due_params = due[:limit].query.sql_with_params()
    except EmptyResultSet:
        return []
    update_sql, update_params = _update_clause(model, _touched(model, values, by))
    history_sql, history_params = _history_insert(model, history_type="~", by=by)
    columns = ", ".join(
        f"changed.{quote(_field_by_attname(model, _field(model, name)).column)}"
        for name in returning
    )

    statement = f"""
        WITH due AS MATERIALIZED ({due_sql}),
        changed AS ({update_sql} FROM due WHERE {table}.{key} = due.{key} RETURNING {table}.*),
        history AS ({history_sql} FROM changed)
        SELECT {columns} FROM changed ORDER BY changed.{key}
    """  # noqa: S608 - every name is quoted by Django, every value is a parameter
    with connection.cursor() as cursor:
        cursor.execute(statement, [*due_params, *update_params, *history_params])
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def update_each_with_history(
    model: type[M],
    values: Mapping[Any, Mapping[str, Any]],
    *,
    by: Attribution,
    returning: Sequence[str] = ("pk",),
) -> list[tuple[Any, ...]]:
    """Give each of these rows values of its own, with history, in one statement.

    `values` maps primary keys to new values by attribute name (`user_id`), the same names for
    each row. The caller has locked the rows and judged them. Returns the fields `returning` in
    primary-key order. Needs an open transaction.
    """
    if not values:
        return []
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(_pk_column(model))
    names = list(next(iter(values.values())))
    fields = [model._meta.pk, *(_field_by_attname(model, name) for name in names)]
    given = ", ".join(f"{quote(field.column)} {field.rel_db_type(connection)}" for field in fields)
    records = [
        {_pk_column(model): pk}
        | {field.column: row[name] for field, name in zip(fields[1:], names, strict=True)}
        for pk, row in values.items()
    ]
    touched = _touched(model, {}, by)
    assignments = ", ".join(
        [f"{quote(field.column)} = given.{quote(field.column)}" for field in fields[1:]]
        + [f"{quote(name)} = %s" for name in touched]
    )
    history_sql, history_params = _history_insert(model, history_type="~", by=by)
    columns = ", ".join(
        f"changed.{quote(_field_by_attname(model, _field(model, name)).column)}"
        for name in returning
    )
    statement = f"""
        WITH given AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS given ({given})),
        changed AS (
            UPDATE {table} SET {assignments} FROM given WHERE {table}.{key} = given.{key}
            RETURNING {table}.*
        ),
        history AS ({history_sql} FROM changed)
        SELECT {columns} FROM changed ORDER BY changed.{key}
    """  # noqa: S608 - every name is quoted by Django, every value is a parameter
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            [json.dumps(records, default=_as_text), *touched.values(), *history_params],
        )
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def newest_history_ids(model: type[models.Model], pks: Sequence[Any]) -> dict[Any, int]:
    """The newest history row of each of these rows: what identifies its last change."""
    history, _columns = _history_columns(model)
    key = model._meta.pk.attname
    newest = history.objects.filter(**{f"{key}__in": list(pks)}).order_by().values(key)
    return dict(newest.annotate(newest=models.Max("history_id")).values_list(key, "newest"))


def upsert_with_history(
    model: type[M],
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str],
    by: Attribution,
    returning: Sequence[str],
    newer: str | None = None,
) -> list[Upserted]:
    """Insert each row, or update the one with the same `key`, with history, in one statement.

    `rows` give the same columns each, by attribute name (`user_id`), and no key twice. A row
    that changes nothing is left alone, and so is one whose date `newer` is older than the
    stored one, or missing where one is stored. Columns that `rows` do not name get their defaults when inserted. Returns the
    fields `returning` of what was created or changed, in the order of `key`.
    """
    if not rows:
        return []
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    given = [_field_by_attname(model, name) for name in rows[0]]
    defaulted: list[Any] = [
        field
        for field in model._meta.concrete_fields
        if field not in given and not field.primary_key and _has_default(field)
    ]
    fields = [*given, *defaulted]
    records = [
        {
            **{field.column: row[field.attname] for field in given},
            **{field.column: _default(field, by) for field in defaulted},
        }
        for row in rows
    ]
    columns = ", ".join(quote(field.column) for field in fields)
    types = ", ".join(
        f"{quote(f.column)} {f.rel_db_type(connection) if f.is_relation else f.db_type(connection)}"
        for f in fields
    )
    keys = ", ".join(quote(_field_by_attname(model, name).column) for name in key)
    news = [quote(field.column) for field in given if field.attname not in key]
    changed = [*news, *(quote(f.column) for f in defaulted if f.name == "modified")]
    assignments = ", ".join(f"{column} = EXCLUDED.{column}" for column in changed)
    stored = ", ".join(f"{table}.{column}" for column in news)
    proposed = ", ".join(f"EXCLUDED.{column}" for column in news)
    guard = ""
    if newer:
        date = quote(_field_by_attname(model, newer).column)
        guard = f"AND ({table}.{date} IS NULL OR EXCLUDED.{date} >= {table}.{date})"
    created, created_params = _history_insert(model, history_type="+", by=by)
    updated, updated_params = _history_insert(model, history_type="~", by=by)
    results = ", ".join(f"changed.{quote(_field_by_attname(model, f).column)}" for f in returning)

    statement = f"""
        WITH changed AS (
            INSERT INTO {table} ({columns})
            SELECT {columns} FROM jsonb_to_recordset(%s::jsonb) AS given ({types})
            ORDER BY {keys}
            ON CONFLICT ({keys}) DO UPDATE SET {assignments}
            WHERE ROW({stored}) IS DISTINCT FROM ROW({proposed}) {guard}
            RETURNING {table}.*, (xmax = 0) AS is_new
        ),
        created AS ({created} FROM changed WHERE changed.is_new),
        updated AS ({updated} FROM changed WHERE NOT changed.is_new)
        SELECT changed.is_new, {results} FROM changed ORDER BY {keys}
    """  # noqa: S608 - every name is quoted by Django, every value is a parameter
    with connection.cursor() as cursor:
        cursor.execute(
            statement, [json.dumps(records, default=_as_text), *created_params, *updated_params]
        )
        return [Upserted(is_new, tuple(values)) for is_new, *values in cursor.fetchall()]


def delete_with_history(
    model: type[models.Model],
    pks: Sequence[Any],
    *,
    by: Attribution,
    returning: Sequence[str] = (),
) -> list[tuple[Any, ...]]:
    """Delete rows and write one history row for each, in one statement.

    `QuerySet.delete` would let simple_history write a second one that names nobody. Returns the
    fields `returning` of the deleted rows, in primary-key order. Rows that refer to a deleted
    one are the database's to refuse.
    """
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(_pk_column(model))
    history_sql, history_params = _history_insert(model, history_type="-", by=by)
    columns = ", ".join(
        f"changed.{quote(_field_by_attname(model, name).column)}" for name in returning
    )
    statement = f"""
        WITH due AS MATERIALIZED (
            SELECT {key} FROM {table} WHERE {key} = ANY(%s) ORDER BY {key} FOR UPDATE
        ),
        changed AS (DELETE FROM {table} USING due WHERE {table}.{key} = due.{key} RETURNING {table}.*),
        history AS ({history_sql} FROM changed)
        SELECT {columns} FROM changed ORDER BY changed.{key}
    """  # noqa: S608 - every name is quoted by Django, every value is a parameter
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(pks), *history_params])
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def rows_without_true_history(model: type[models.Model]) -> int:
    """How many live rows have no history row, or a newest one that says something else.

    "Deleted" is something else. The newest is the one written last: with `--as-of` a later change may carry an earlier date.
    """
    history, columns = _history_columns(model)
    quote = connection.ops.quote_name
    key = quote(_pk_column(model))
    live = ", ".join(f"live.{quote(column)}" for column in columns)
    past = ", ".join(f"past.{quote(column)}" for column in columns)
    statement = f"""
        SELECT count(*) FROM {quote(model._meta.db_table)} AS live
        LEFT JOIN LATERAL (
            SELECT * FROM {quote(history._meta.db_table)} AS h WHERE h.{key} = live.{key}
            ORDER BY h.history_id DESC LIMIT 1
        ) AS past ON true
        WHERE past.history_id IS NULL OR past.history_type = '-' OR ROW({live}) IS DISTINCT FROM ROW({past})
    """  # noqa: S608 - every name is quoted by Django
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cast("int", cursor.fetchone()[0])


def models_with_history() -> list[type[models.Model]]:
    """All models that keep a history, by label."""
    return sorted(
        (
            model
            for model in apps.get_models()
            if hasattr(model._meta, "simple_history_manager_attribute")
        ),
        key=lambda model: model._meta.label,
    )


def erase_names_in_reasons(*names: str) -> None:
    """Erase a person who leaves from the reasons that staff gave: one statement per model."""
    for model in models_with_history():
        history = get_history_manager_for_model(model).model
        erase_names(history.objects.all(), ["history_change_reason"], *names)


def _pk_column(model: type[models.Model]) -> str:
    return cast("str", model._meta.pk.column)


def _field(model: type[models.Model], name: str) -> str:
    return model._meta.pk.name if name == "pk" else name


def _field_by_attname(model: type[models.Model], name: str) -> Any:
    return next(
        field for field in model._meta.concrete_fields if name in {field.attname, field.name}
    )


def _has_default(field: Any) -> bool:
    """A text that may be empty is so by default, as in a new instance."""
    may_be_empty = field.blank and field.empty_strings_allowed and not field.null
    return field.has_default() or may_be_empty


def _default(field: Any, by: Attribution) -> Any:
    return by.at if field.name in {"created", "modified"} else field.get_default()


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _touched(
    model: type[models.Model], values: Mapping[str, Any], by: Attribution
) -> dict[str, Any]:
    has_modified = any(field.name == "modified" for field in model._meta.fields)
    return {**({"modified": by.at} if has_modified else {}), **values}


def _update_clause(model: type[models.Model], values: Mapping[str, Any]) -> tuple[str, list[Any]]:
    query = cast("UpdateQuery", model._base_manager.all().query.chain(UpdateQuery))
    query.add_update_values(dict(values))
    sql, params = query.get_compiler(connection=connection).as_sql()
    return sql, list(params)


def _history_columns(model: type[models.Model]) -> tuple[Any, list[str]]:
    history = get_history_manager_for_model(model).model
    return history, [field.column for field in history.tracked_fields]


def _history_insert(
    model: type[models.Model], *, history_type: str, by: Attribution
) -> tuple[str, list[Any]]:
    """`INSERT INTO history … SELECT …` up to its FROM, which must name a relation `changed`."""
    history, columns = _history_columns(model)
    quote = connection.ops.quote_name
    extra = {**by.history_columns, "history_type": history_type}
    names = ", ".join(quote(column) for column in [*columns, *extra])
    source = ", ".join([f"changed.{quote(column)}" for column in columns] + ["%s"] * len(extra))
    return (
        f"INSERT INTO {quote(history._meta.db_table)} ({names}) SELECT {source}",
        list(extra.values()),
    )


# Tracked columns are erased like their live ones, by the app that owns them.
register.holds_personal(core__HistoricalBase__history_change_reason="erased by name")
register.holds_nothing_personal(core__HistoricalBase__cause="a name from the code")
