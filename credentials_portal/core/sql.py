"""SQL that one app publishes and another composes (design: reads only, downwards only)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, models
from django.db.models.expressions import RawSQL


@dataclass(frozen=True)
class Fragment:
    """A complete SELECT, to be used in parentheses, with its parameters in order."""

    sql: str
    params: tuple[Any, ...] = ()

    @classmethod
    def of(cls, queryset: models.QuerySet[Any, Any]) -> "Fragment":
        """The SELECT of a QuerySet, of an empty one too; name its columns with `values`."""
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS, elide_empty=False)
        sql, params = compiler.as_sql()
        return cls(sql, tuple(params))

    def renamed(self, *columns: str) -> "Fragment":
        """The same rows under these column names."""
        return Fragment(
            f"SELECT * FROM ({self.sql}) AS renamed ({', '.join(columns)})",  # noqa: S608 - names from code
            self.params,
        )


def among(keys: Iterable[int]) -> RawSQL:
    """For `filter(pk__in=among(keys))`: the keys as one parameter.

    A thousand parameters take Django and PostgreSQL longer to read than the rows themselves.
    """
    return RawSQL("SELECT unnest(%s::bigint[])", [list(keys)])
