"""Processes that use an embedded server, and a look at that server from outside."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import environ
import psycopg2

from credentials_portal.devdb.place import PROJECT_DIR

START = "from credentials_portal import devdb; devdb.start()"
USE = f"{START}; print(devdb.url(), flush=True); input()"


class User:
    """A process that has started the server, and holds it until `leave`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.url = process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate("\n")
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@dataclass
class Server:
    """The embedded server of one data directory, under the given variables."""

    data_dir: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        ours = {"PORTAL_DATA_DIR": str(self.data_dir), "DATABASE_URL": "", "PORTAL_PG_BIN": ""}
        return os.environ | ours | self.variables

    @property
    def home(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def pid_file(self) -> Path:
        return self.home / "data" / "postmaster.pid"

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text().splitlines()[0])

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run a user of the server to its end."""
        return subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", "-c", code],
            cwd=PROJECT_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def spawn(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", USE],
            cwd=PROJECT_DIR,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def used(self) -> Iterator[User]:
        user = User(self.spawn())
        try:
            yield user
        finally:
            if user.process.poll() is None:
                user.leave()

    def kill(self) -> None:
        """Leave nothing behind that a failing test has started."""
        if self.pid_file.exists() and str(self.data_dir) in _command_line(self.pid):
            os.kill(self.pid, signal.SIGKILL)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def query(url: str, statement: str) -> tuple[object, ...] | None:
    """The first row, read through the settings that the portal makes of the URL; None where the statement has none."""
    config = environ.Env.db_url_config(url)
    with closing(
        psycopg2.connect(
            host=config["HOST"], port=config["PORT"], user=config["USER"], dbname=config["NAME"]
        )
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            row: tuple[object, ...] | None = cursor.fetchone() if cursor.description else None
            return row


def answers(url: str) -> bool:
    try:
        query(url, "SELECT 1")
    except psycopg2.OperationalError:
        return False
    return True
