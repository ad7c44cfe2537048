"""The embedded server's life: made once, started by its first user, stopped by its last.

Each process that called `start()` holds a shared lock on `users.lock` until it ends. At its exit it asks for the
exclusive lock without waiting; who gets it is the last user, and stops the server. A process that is killed leaves the
server running, and the next user takes it over. A successful connection is the only proof of health.
"""

import atexit
import fcntl
import itertools
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from shutil import rmtree
from urllib.parse import quote

import psycopg2
from psycopg2 import extensions, sql

from credentials_portal.devdb.binaries import Binaries, find_binaries
from credentials_portal.devdb.errors import DevdbError
from credentials_portal.devdb.place import PORT, Account, Place, data_dir, locate, make_passable

DATABASE = "portal"
USER = "portal"
START_SECONDS = 30
STOP_SECONDS = 60


def url() -> str:
    """The DATABASE_URL of the embedded server, in the form that django-environ reads (a socket has no host part)."""
    return f"postgres://{USER}@:{PORT}/{quote(f'{locate().socket_dir}/{DATABASE}')}"


def is_wanted() -> bool:
    """Whether the environment leaves the database to the embedded server."""
    return (os.environ.get("DATABASE_URL") or url()) == url()


def start() -> None:
    """Make the embedded server answer, with the database `portal`, for the life of this process.

    Safe to call from any number of processes at once, and again after the server was killed. Does nothing where
    DATABASE_URL names another server. Raises DevdbError.
    """
    if not is_wanted():
        return
    place = locate()
    _make_private(place.home, place.account)
    _hold(place, os.getpid())
    _make_private(place.socket_dir, place.account)
    with os.fdopen(_open(place, "start.lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _answers(place):
            _launch(place)
        _create_database(place)


def recreate_database() -> None:
    """Replace the database `portal` by an empty one; whoever is connected is cut off."""
    if not is_wanted():
        raise DevdbError(
            "DATABASE_URL names a server that is not the embedded one; its database is left alone."
        )
    start()
    place = locate()
    with closing(_connect(place)) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
    _create_database(place)


def claim_test_database() -> str:
    """The name of a test database that no other live process claims; the claim ends with this process.

    Names are reused, so that what a killed run leaves behind is replaced by a later one.
    """
    for number in itertools.count(1):
        lock = _open(locate(), f"test-{number}.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return f"test_{DATABASE}_{number}"
    raise AssertionError("itertools.count() ended")


@cache
def _hold(place: Place, pid: int) -> None:
    """Count the process `pid` (this one) among the users of the server, once."""
    lock = _open(place, "users.lock")
    fcntl.flock(lock, fcntl.LOCK_SH)
    atexit.register(_release, place, pid, lock)


def _release(place: Place, pid: int, lock: int) -> None:
    """Stop the server unless another process uses it; a forked child, which inherits this duty, has none."""
    if os.getpid() != pid:
        return
    os.close(lock)
    # Without the data directory there is nothing left to stop.
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(_open(place, "users.lock"), fcntl.LOCK_EX | fcntl.LOCK_NB)
        _stop(place)


def _open(place: Place, name: str) -> int:
    """Open a file of the home for the account; a link that the account put there is not followed.

    A descriptor that nobody closes stays open, and its lock held, for the life of the process.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    descriptor = os.open(place.home / name, flags, 0o600)
    if place.account.is_other:
        os.fchown(descriptor, place.account.uid, place.account.gid)
    return descriptor


def _make_private(directory: Path, account: Account) -> None:
    """Create the directory for the account alone; refuse one that belongs to somebody else."""
    try:
        make_passable(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
    except PermissionError as error:
        raise DevdbError(f"{error}. Set PORTAL_DATA_DIR to a directory of yours.") from error
    owner = directory.lstat().st_uid
    if directory.is_symlink() or owner not in {account.uid, os.geteuid()}:
        raise DevdbError(
            f"{directory} belongs to another user (id {owner}). Set PORTAL_DATA_DIR to a directory of yours."
        )
    if owner != account.uid:
        os.chown(directory, account.uid, account.gid)


def _connect(place: Place, database: str = "postgres") -> extensions.connection:
    connection = psycopg2.connect(
        host=str(place.socket_dir), port=PORT, user=USER, dbname=database, connect_timeout=5
    )
    connection.autocommit = True
    return connection


def _answers(place: Place) -> bool:
    try:
        _connect(place).close()
    except psycopg2.OperationalError:
        return False
    return True


def _create_database(place: Place) -> None:
    with closing(_connect(place)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
        if cursor.rowcount == 0:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _launch(place: Place) -> None:
    """Start the server, after one that is still starting or stopping, or whose orphaned processes still end."""
    if not Path("/proc/self").exists():
        raise DevdbError("The embedded PostgreSQL needs Linux. Set DATABASE_URL to a server.")
    if data_dir() not in place.home.parents:
        sys.stderr.write(
            f"The user with id {place.account.uid}, as whom PostgreSQL runs for root, cannot enter {data_dir()}:"
            f" the database is in {place.home}.\n"
        )
    if place.log.exists():
        place.log.replace(place.log.with_suffix(".log.old"))
    binaries = find_binaries(place.account, data_major=_data_major(place))
    if not place.cluster.exists():
        _initialise(place, binaries)
    deadline = time.monotonic() + START_SECONDS
    while not _answers(place):
        if time.monotonic() > deadline:
            raise DevdbError(
                f"PostgreSQL did not start within {START_SECONDS} seconds; {place.log} says why."
            )
        if _server_pid(place) is None:
            _remove_stale_locks(place)
            _run_pg_ctl_start(place, binaries)
        time.sleep(0.1)


def _data_major(place: Place) -> int | None:
    version = place.cluster / "PG_VERSION"
    return int(version.read_text()) if version.exists() else None


def _initialise(place: Place, binaries: Binaries) -> None:
    """Make the data directory: in a draft, so that one that exists is whole. Plain C would keep lower('É') as it is."""
    draft = place.home / "data.draft"
    rmtree(draft, ignore_errors=True)
    provider = ["--locale-provider=builtin"] if binaries.major >= 17 else []
    made = _run(
        place,
        binaries.directory / "initdb",
        *("--pgdata", draft, "--username", USER, "--auth", "trust"),
        *("--encoding", "UTF8", "--locale", "C.UTF-8", *provider),
    )
    if not made:
        raise DevdbError(f"initdb failed; {place.log} says why.")
    draft.rename(place.cluster)


def _run_pg_ctl_start(place: Place, binaries: Binaries) -> None:
    """One attempt; whether it succeeded is for a connection to tell."""
    settings = {
        "listen_addresses": "",
        "port": PORT,
        "unix_socket_directories": f'"{place.socket_dir}"',
        "unix_socket_permissions": "0700",
    }
    # pg_ctl hands its own --pgdata to a shell without quoting it.
    options = ["-D", str(place.cluster), *(f"--{name}={value}" for name, value in settings.items())]
    _run(
        place,
        binaries.directory / "pg_ctl",
        *("start", "--wait", "--timeout", START_SECONDS, "--options", shlex.join(options)),
    )


def _run(place: Place, program: Path, *arguments: object) -> bool:
    """Run a program as the server's user, apart from this process's terminal, directory and PG* variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    other = place.account if place.account.is_other else None
    with os.fdopen(_open(place, place.log.name), "ab") as log:
        finished = subprocess.run(  # noqa: S603 - a program of the server, without a shell
            [program, *map(str, arguments)],
            check=False,
            cwd=place.home,
            env=inherited | {"LC_ALL": "C", "PGDATA": str(place.cluster)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=other.uid if other else None,
            group=other.gid if other else None,
            extra_groups=[] if other else None,
        )
    return finished.returncode == 0


def _server_pid(place: Place) -> int | None:
    """The live process that both one of the server's lock files and its own command line show to be the server."""
    for pid in map(_pid_in, place.lock_files):
        if pid is not None and str(place.cluster) in _arguments_of(pid):
            return pid
    return None


def _pid_in(lock_file: Path) -> int | None:
    """The process that a lock file names; none in one that is missing, empty or cut short."""
    try:
        return abs(int(lock_file.read_text().splitlines()[0]))
    except (FileNotFoundError, ValueError, IndexError):
        return None


def _arguments_of(pid: int) -> list[str]:
    """The command line of a live process; empty for a zombie."""
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _remove_stale_locks(place: Place) -> None:
    """PostgreSQL would refuse to start where a lock file is cut short, or names a live process, whichever it is."""
    for lock_file in place.lock_files:
        lock_file.unlink(missing_ok=True)


def _stop(place: Place) -> None:
    """Ask the server to stop at once (PostgreSQL's "fast"), and wait until it has."""
    if pid := _server_pid(place):
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS
        while _server_pid(place) == pid and time.monotonic() < deadline:
            time.sleep(0.02)
    if place.socket_dir != place.home:
        with suppress(OSError):
            place.socket_dir.rmdir()
