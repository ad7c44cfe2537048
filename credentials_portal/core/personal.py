"""The register of columns that hold something about a person.

Every text, e-mail and JSON column of the portal is registered by its app: either as personal,
with the way in which it is emptied when the person leaves, or as free of personal data, with
the reason. A test walks all models and finds what nobody registered.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Func, Q, QuerySet, TextField, Value

ERASED = "***"


@dataclass
class Register:
    personal: dict[str, str] = field(default_factory=dict)
    impersonal: dict[str, str] = field(default_factory=dict)

    def holds_personal(self, **columns: str) -> None:
        """Register personal columns: `app__Model__field="how it is erased"`."""
        self.personal |= {_path(name): how for name, how in columns.items()}

    def holds_nothing_personal(self, **columns: str) -> None:
        """Register text columns that never name a person: `app__Model__field="why"`."""
        self.impersonal |= {_path(name): why for name, why in columns.items()}

    def knows(self, path: str) -> bool:
        """Whether the column `app.Model.field` was registered, either way."""
        return path in self.personal or path in self.impersonal


def pattern_of_names(*names: str) -> str:
    """A regular expression, for Python and PostgreSQL alike, of these names as whole words.

    What may stand in a username does not end one. Empty names are left out; of nothing but
    empty ones the pattern is empty too, and must not be searched for.
    """
    # Python takes the first that fits, PostgreSQL the longest.
    longest_first = sorted(filter(None, names), key=len, reverse=True)
    words = "|".join(re.escape(name) for name in longest_first)
    return rf"(?<![\w.@+-])(?:{words})(?![\w@+-]|\.\w)" if words else ""


def erase_names(queryset: QuerySet[Any], fields: Iterable[str], *names: str) -> int:
    """Replace these names by `***` in text columns, in one statement; counts the rows changed."""
    pattern = pattern_of_names(*names)
    if not pattern:
        return 0
    named = Q.create([Q(**{f"{field}__iregex": pattern}) for field in fields], connector=Q.OR)
    return queryset.filter(named).update(
        **{
            field: Func(
                F(field),
                Value(pattern),
                Value(ERASED),
                Value("gi"),
                function="regexp_replace",
                output_field=TextField(),
            )
            for field in fields
        }
    )


def _path(keyword: str) -> str:
    return keyword.replace("__", ".", 2)


register = Register()
