"""What import-linter's layers cannot say: the public face of an app, and whose tables SQL names."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest
from django.apps import apps
from django.conf import settings

APPS = ("entitlements", "letters", "licenses", "programs", "subsidy_requests")
PUBLIC_FACE = {"services", "selectors", "signals", "enums"}


@cache
def import_graph() -> grimp.ImportGraph:
    return grimp.build_graph(
        "credentials_portal", *APPS, exclude_type_checking_imports=True, cache_dir=None
    )


def app_of(module: str) -> str | None:
    return next((app for app in APPS if module == app or module.startswith(f"{app}.")), None)


def imports_from(app: str) -> Iterator[tuple[str, str]]:
    """Each import of one of the app's modules by a module outside of it."""
    graph = import_graph()
    for imported in {app, *graph.find_descendants(app)}:
        for importer in graph.find_modules_that_directly_import(imported):
            if app_of(importer) != app:
                yield importer, imported


def is_public(module: str) -> bool:
    return not PUBLIC_FACE.isdisjoint(module.split(".")[1:2])


@pytest.mark.parametrize("app", APPS)
def test_what_crosses_into_an_app_uses_its_public_face(app: str) -> None:
    private = [(by, what) for by, what in imports_from(app) if not is_public(what)]

    assert private == []


def test_the_graph_holds_imports_across_apps() -> None:
    crossing = [by for by, _ in imports_from("programs") if app_of(by) == "letters"]

    assert crossing, "letters no longer call programs, or the graph is empty"


@pytest.mark.parametrize(
    ("upper", "lower"),
    [("letters", "programs"), ("entitlements", "programs"), ("subsidy_requests", "licenses")],
)
def test_an_upper_app_spells_no_table_of_a_lower_one(upper: str, lower: str) -> None:
    models = apps.get_app_config(lower).get_models(include_auto_created=True)
    tables = re.compile(rf"\b({'|'.join(model._meta.db_table for model in models)})\b")
    sources = list(Path(settings.BASE_DIR, upper).rglob("*.py"))

    spelled = [
        (source.name, table)
        for source in sources
        for table in tables.findall(source.read_text(encoding="utf-8"))
    ]

    assert sources
    assert spelled == []
