from typing import Any

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

COMMANDS = get_commands()
LINES: list[Any] = [
    entry["args"]
    for entry in settings.CELERY_BEAT_SCHEDULE.values()
    if entry["task"] == "core.run_command"
]


def command(name: str) -> Any:
    return load_command_class(COMMANDS[name], name)


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_every_line_of_the_schedule_is_a_valid_command(line: tuple[str, ...]) -> None:
    name, *arguments = line

    assert command(name).create_parser("manage.py", name).parse_args(arguments)


def test_beat_runs_every_job_that_is_expected_to_succeed_regularly() -> None:
    expected = {name for name in COMMANDS if getattr(command(name), "scheduled", False)}

    assert "check_history" in expected
    assert expected <= {name for name, *_arguments in LINES}
