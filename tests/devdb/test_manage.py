"""manage.py starts the embedded server for the commands that may need it."""

import subprocess
import sys
from pathlib import Path

import pytest

from credentials_portal.devdb.place import PROJECT_DIR
from manage import needs_database
from tests.devdb.users import Server


@pytest.mark.parametrize(
    "line", ["", "help", "help migrate", "--version", "migrate --help", "collectstatic --noinput"]
)
def test_leaves_the_database_alone(line: str) -> None:
    assert not needs_database(line.split())


@pytest.mark.parametrize(
    "line", ["migrate", "check", "makemigrations --check", "issue_letters --dry-run"]
)
def test_brings_the_database(line: str) -> None:
    assert needs_database(line.split())


def test_help_starts_no_server(directory: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "manage.py", "version"],
        cwd=PROJECT_DIR,
        env=Server(directory / "data").environment,
        capture_output=True,
        check=False,
    )

    assert finished.returncode == 0
    assert not (directory / "data").exists()
