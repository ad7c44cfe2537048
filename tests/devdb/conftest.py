"""Servers of these tests' own, in directories that the server's user can enter (pytest's are closed to it)."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devdb.users import Server


@pytest.fixture
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="devdb-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def fresh_server(directory: Path) -> Iterator[Server]:
    """A server whose data is yet to be made."""
    server = Server(directory)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def made_directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="devdb-"))
    path.chmod(0o755)
    with Server(path).used():
        pass
    yield path
    shutil.rmtree(path)


@pytest.fixture
def server(made_directory: Path) -> Iterator[Server]:
    """A server whose data exists (shared by a module's tests) and that nobody uses."""
    server = Server(made_directory)
    yield server
    server.kill()
