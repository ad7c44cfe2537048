from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.db import connection
from pytest_django import Settings

PRODUCTION: dict[str, Any] = {
    "DEBUG": False,
    "DEMO": False,
    "SECRET_KEY": "k" * 50,
    "ALLOWED_HOSTS": ["portal.example.org"],
    "PORTAL_BASE_URL": "https://portal.example.org",
    "HTTPS": True,
    "TRUSTED_PROXY_COUNT": 1,
    "EMAIL_URL": "smtp://mail.example.org",
    "CELERY_BROKER_URL": "redis://cache.example.org:6379/0",
}
LOCAL: dict[str, Any] = {
    "SECRET_KEY": django_settings.INSECURE_SECRET_KEY,
    "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"],
    "PORTAL_BASE_URL": "http://localhost:8000",
    "HTTPS": False,
    "EMAIL_URL": "",
    "CELERY_BROKER_URL": "",
}


def problems(settings: Settings, tmp_path: Path, **changes: Any) -> list[str]:
    """The ids of what our checks find in production, with these settings changed."""
    folders = {"MEDIA_ROOT": tmp_path / "media", "DATA_DIR": tmp_path / "data"}
    for name, value in (PRODUCTION | folders | changes).items():
        setattr(settings, name, value)
    found = [message for message in run_checks() if str(message.id).startswith("core.")]
    assert all(message.hint for message in found)
    return sorted(str(message.id) for message in found)


def test_finds_nothing_in_production(settings: Settings, tmp_path: Path) -> None:
    assert problems(settings, tmp_path) == []


def test_finds_nothing_on_one_machine(settings: Settings, tmp_path: Path) -> None:
    assert problems(settings, tmp_path, **LOCAL) == []


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"SECRET_KEY": django_settings.INSECURE_SECRET_KEY}, ["core.E001"]),
        ({"PORTAL_BASE_URL": "portal.example.org"}, ["core.E002"]),
        ({"PORTAL_BASE_URL": "https://portal.example.org/"}, ["core.E002"]),
        ({"PORTAL_BASE_URL": "ftp://portal.example.org"}, ["core.E002"]),
        ({"PORTAL_BASE_URL": "http://portal.example.org"}, ["core.E003"]),
        ({"PORTAL_BASE_URL": "http://localhost:8000"}, ["core.E003"]),
        ({"CATALOG_BASE_URL": "discovery.example.org/api/v1"}, ["core.E011"]),
        ({"ORDERS_BASE_URL": "http://["}, ["core.E011"]),
        ({"LMS_BASE_URL": "https://lms.example.org", "LMS_TIMEOUT_SECONDS": 0.0}, ["core.E011"]),
        ({"CATALOG_BASE_URL": "https://discovery.example.org/api/v1/"}, []),
        ({"TRUSTED_PROXY_COUNT": 0}, ["core.I001"]),
        ({"DEMO": True}, ["core.W001"]),
        ({"CELERY_BROKER_URL": "postgres://db.example.org"}, ["core.E005"]),
        ({"CELERY_BROKER_URL": "cache.example.org"}, ["core.E005"]),
        ({"EMAIL_URL": ""}, ["core.E006"]),
        ({"MEDIA_ROOT": Path(__file__) / "media"}, ["core.E007"]),
        ({"EMAIL_URL": "", "DATA_DIR": Path(__file__)}, ["core.E006", "core.E007"]),
        (LOCAL | {"ALLOWED_HOSTS": ["*"]}, ["core.E001", "core.E003", "core.E006"]),
        (LOCAL | {"ALLOWED_HOSTS": ["*"], "DEBUG": True}, []),
    ],
)
def test_finds_what_cannot_work(
    settings: Settings, tmp_path: Path, changes: dict[str, Any], ids: list[str]
) -> None:
    assert problems(settings, tmp_path, **changes) == ids


@pytest.mark.parametrize(
    ("backend", "workers", "ids"),
    [
        ("locmem.LocMemCache", "2", ["core.E004"]),
        ("dummy.DummyCache", "2", ["core.E004"]),
        ("locmem.LocMemCache", "1", []),
        ("db.DatabaseCache", "2", []),
    ],
)
def test_several_workers_need_a_shared_cache(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    workers: str,
    ids: list[str],
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", workers)
    caches = {"default": {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": "x"}}

    assert problems(settings, tmp_path, CACHES=caches) == ids


@pytest.mark.django_db
def test_the_database_of_the_tests_is_one_that_works() -> None:
    assert run_checks(tags=["database"], databases=["default"]) == []


@pytest.mark.django_db
def test_the_cache_table_is_the_one_that_django_would_make() -> None:
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, "portal_cache")
        constraints = connection.introspection.get_constraints(cursor, "portal_cache")

    assert [(column.name, column.null_ok) for column in columns] == [
        ("cache_key", False),
        ("value", False),
        ("expires", False),
    ]
    assert constraints["portal_cache_pkey"]["columns"] == ["cache_key"]
    assert constraints["portal_cache_expires"]["columns"] == ["expires"]
