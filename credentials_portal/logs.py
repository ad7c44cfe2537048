"""How the portal logs: to stderr, as JSON lines in production, readable on a terminal; no person in it.

Every record, ours or a library's, passes `mask_personal`. Tracebacks never show local variables.
Settings import this module, so it reads none.
"""

import re
import sys
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor

MASK = "***"
EMAIL_ADDRESS = re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+")
# PostgreSQL quotes rows, statements and values: from there to the end of its message, in a traceback
# or in a `repr`, anything may be a person's.
DATABASE_QUOTE = re.compile(
    r"""(?P<before> (?:^|\n|\\n)[ |]*(?:LINE\ \d+|DETAIL|HINT|CONTEXT|QUERY): \s
          | (?:invalid|malformed|out\ of\ range)[^:"\n]{0,60}:\ (?=") )
        .*? (?= \n\n(?:The\ above\ exception|During\ handling) | \Z )""",
    re.DOTALL | re.VERBOSE,
)
PERSONAL_KEYS = frozenset(
    {
        *("address", "authorization", "cookie", "email", "first_name", "former_email"),
        *("former_username", "full_name", "ip_address", "last_name", "learner_name", "password"),
        *("recipient", "recipients", "secret", "subject", "token", "username"),
    }
)
# Django attaches the whole request to its records.
UNLOGGABLE_KEYS = frozenset({"request", "server_time"})


def mask_personal(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Mask personal keys at any depth, what `mask_text` masks in any text, and a request's path.

    Comes after the traceback was rendered. A model instance is logged as its label and key.
    """
    if path := getattr(event.get("request"), "path", ""):
        event["event"] = str(event["event"]).replace(path, MASK)
    return {key: _masked(value, key) for key, value in event.items() if key not in UNLOGGABLE_KEYS}


def mask_text(text: str) -> str:
    """`text` without e-mail addresses and without what PostgreSQL quotes in errors."""
    return EMAIL_ADDRESS.sub(MASK, DATABASE_QUOTE.sub(rf"\g<before>{MASK}", text))


def _masked(value: Any, key: str = "") -> Any:
    if key.lower() in PERSONAL_KEYS:
        return MASK
    match value:
        case None | bool() | int() | float():
            return value
        case UUID() | date():
            return str(value)
        case Mapping():
            return {mask_text(str(name)): _masked(item, str(name)) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(item) for item in value]
        case object(_meta=meta, pk=pk):
            return f"{meta.label}:{pk}"
    return mask_text(str(value))


# What happens to our own events and to records of the standard library alike.
SHARED_PROCESSORS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        *SHARED_PROCESSORS,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def logging_config(*, json_lines: bool, level: str) -> dict[str, Any]:
    """Django's LOGGING: one handler on stderr, at `level`, for everything."""
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if json_lines
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "portal": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED_PROCESSORS,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    mask_personal,
                    renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "portal"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's defaults would print every record twice, and mail errors with their request.
            "django": {"handlers": [], "propagate": True, "level": level},
            "django.server": {"handlers": [], "propagate": True, "level": level},
            # The request log has said it already, without the path.
            "django.request": {"level": "ERROR"},
            # They log addresses with their query, which may name a person.
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }
