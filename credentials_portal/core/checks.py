"""Combinations of settings that cannot work, each found before it does harm.

"Serves others" means that ALLOWED_HOSTS or PORTAL_BASE_URL reach beyond this machine.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db import connections

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1", "testserver"})
BROKER_SCHEMES = frozenset({"amqp", "amqps", "redis", "rediss", "sentinel", "sqs"})
PER_PROCESS_CACHES = frozenset({"LocMemCache", "DummyCache"})
REMOTES = ("LMS", "ORDERS", "CATALOG")
OLDEST_POSTGRESQL = 15

Apps = Sequence[AppConfig] | None


@register(Tags.security)
def check_secret_key(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if settings.SECRET_KEY != settings.INSECURE_SECRET_KEY or not _is_production():
        return []
    return [
        Error(
            "The SECRET_KEY is the published one, so anybody can sign in as anybody.",
            hint="Set SECRET_KEY to 50 random characters and keep it to yourself.",
            id="core.E001",
        )
    ]


@register(Tags.security)
def check_base_url(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    url = urlsplit(settings.PORTAL_BASE_URL)
    is_absolute = url.scheme in {"http", "https"} and url.hostname
    if not is_absolute or url.path or url.query or url.fragment:
        return [
            Error(
                f"PORTAL_BASE_URL is not the start of an address: {settings.PORTAL_BASE_URL!r}.",
                hint="Links in mails begin with it. Write it like https://portal.example.org, "
                "without a slash at the end.",
                id="core.E002",
            )
        ]
    if url.scheme == "http" and _is_production():
        return [
            Error(
                "PORTAL_BASE_URL begins with http://, but the portal serves other machines.",
                hint="Serve it by https, and say so in PORTAL_BASE_URL: cookies, redirects and "
                "links follow it.",
                id="core.E003",
            )
        ]
    return []


@register
def check_remotes(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"{name}_BASE_URL is not the start of an address, or {name}_TIMEOUT_SECONDS no time.",
            hint=f"Write {name}_BASE_URL like https://service.example.org, or leave it out. "
            f"{name}_TIMEOUT_SECONDS is a number above 0.",
            id="core.E011",
        )
        for name in REMOTES
        if not _can_be_called(
            getattr(settings, f"{name}_BASE_URL"), getattr(settings, f"{name}_TIMEOUT_SECONDS")
        )
    ]


@register(Tags.security)
def check_proxies(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if not settings.HTTPS or settings.TRUSTED_PROXY_COUNT:
        return []
    return [
        Info(
            "The portal is served by https, but no proxy is trusted.",
            hint="Behind a proxy that ends https set TRUSTED_PROXY_COUNT=1, else each request "
            "is redirected to itself, and all clients seem to have one address.",
            id="core.I001",
        )
    ]


@register(Tags.security)
def check_demo(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if not (settings.DEMO and _serves_others()):
        return []
    return [
        Warning(
            "A demonstration, whose passwords and mail are public, serves other machines.",
            hint="Unset PORTAL_DEMO, or keep ALLOWED_HOSTS to this machine.",
            id="core.W001",
        )
    ]


@register(Tags.caches)
def check_cache(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    backend = str(settings.CACHES["default"]["BACKEND"]).rpartition(".")[2]
    if backend not in PER_PROCESS_CACHES or int(os.environ.get("WEB_CONCURRENCY", "1")) == 1:
        return []
    return [
        Error(
            f"Several web workers each have a cache of their own ({backend}).",
            hint="Throttles and sign-in limits count in the cache: use Redis (REDIS_URL) or the "
            "database cache, or one worker (WEB_CONCURRENCY=1).",
            id="core.E004",
        )
    ]


@register
def check_broker(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    scheme = urlsplit(settings.CELERY_BROKER_URL).scheme
    if not settings.CELERY_BROKER_URL or scheme in BROKER_SCHEMES:
        return []
    return [
        Error(
            f"CELERY_BROKER_URL has the scheme {scheme!r}, which is no broker of the portal's.",
            hint=f"Use one of {', '.join(sorted(BROKER_SCHEMES))}, or unset it: then "
            "`deliver_outbox --follow` sends what is due.",
            id="core.E005",
        )
    ]


@register
def check_mail(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if settings.EMAIL_URL or not _is_production():
        return []
    return [
        Error(
            "EMAIL_URL is not set, so mail to learners would end in files of this machine.",
            hint="Set EMAIL_URL to your mail server, such as "
            "smtp+tls://user:password@mail.example.org:587.",
            id="core.E006",
        )
    ]


@register(Tags.files)
def check_folders(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    needed = {"MEDIA_ROOT": Path(settings.MEDIA_ROOT)}
    if not settings.EMAIL_URL:
        needed["PORTAL_DATA_DIR"] = Path(settings.DATA_DIR)
    return [
        Error(
            f"{name} cannot be written: {folder}.",
            hint="Give the user who runs the portal write access, or name another folder.",
            id="core.E007",
        )
        for name, folder in needed.items()
        if not _can_write(folder)
    ]


@register(Tags.database)
def check_database(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Asked for by `check --database default` and by `migrate`; only then is there a connection."""
    return [message for alias in databases or () for message in _database_messages(alias)]


def _database_messages(alias: str) -> list[CheckMessage]:
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return [
            Error(
                f"The database is {connection.display_name}, not PostgreSQL.",
                hint="Set DATABASE_URL to postgres://user:password@host:5432/name.",
                id="core.E008",
            )
        ]
    messages: list[CheckMessage] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int / 10000, lower('É') = 'é'"
        )
        version, knows_letters = cursor.fetchone()
    if version < OLDEST_POSTGRESQL:
        messages.append(
            Error(
                f"The database server is PostgreSQL {version}.",
                hint=f"The portal needs PostgreSQL {OLDEST_POSTGRESQL} or newer.",
                id="core.E009",
            )
        )
    if not knows_letters:
        messages.append(
            Error(
                "The database cannot tell upper from lower case beyond English letters.",
                hint="Create it with ENCODING 'UTF8' and a UTF-8 LC_CTYPE, such as C.UTF-8: "
                "e-mail addresses are compared in lower case.",
                id="core.E010",
            )
        )
    return messages


def _is_production() -> bool:
    return _serves_others() and not (settings.DEBUG or settings.DEMO)


def _serves_others() -> bool:
    hosts = {*settings.ALLOWED_HOSTS, urlsplit(settings.PORTAL_BASE_URL).hostname}
    return not hosts <= LOOPBACK | {None}


def _can_write(folder: Path) -> bool:
    """Whether `folder` can be written, or made where it is missing."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _can_be_called(base_url: str, timeout_seconds: float) -> bool:
    """Also where there is nothing to call."""
    try:
        url = urlsplit(base_url)
    except ValueError:
        return False
    is_address = url.scheme in {"http", "https"} and url.hostname
    return not base_url or bool(is_address and timeout_seconds > 0)
