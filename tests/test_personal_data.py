"""Every text column of the database is registered: it is erased with the person, or names none."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models
from simple_history.models import HistoricalChanges

from credentials_portal.core.personal import register

TEXT = (models.CharField, models.TextField, models.JSONField, models.GenericIPAddressField)


def text_columns() -> Iterator[str]:
    """All columns that could hold something about a person, as they are registered.

    Left out by rule: values of a fixed choice, slugs. A history's copy counts as its live column.
    """
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_fields:
            is_free = not isinstance(field, models.SlugField) and not field.choices
            if isinstance(field, TEXT) and is_free:
                yield registered_as(model, field.name)


def registered_as(model: type[models.Model], column: str) -> str:
    if not issubclass(model, HistoricalChanges):
        return f"{model._meta.label}.{column}"
    history: Any = model
    if column in {field.name for field in history.tracked_fields}:
        return f"{history.instance_type._meta.label}.{column}"
    return f"core.HistoricalBase.{column}"


def test_every_text_column_is_registered() -> None:
    unregistered = sorted({path for path in text_columns() if not register.knows(path)})

    assert unregistered == []


def test_every_registered_column_exists() -> None:
    registered = {*register.personal, *register.impersonal}

    assert sorted(registered - set(text_columns())) == []


def test_no_column_is_registered_both_ways() -> None:
    assert sorted({*register.personal} & {*register.impersonal}) == []


def test_every_registration_says_why_or_how() -> None:
    assert all((register.personal | register.impersonal).values())
