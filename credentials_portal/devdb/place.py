"""Where the embedded server's files are, and as which user of the machine it runs.

A place is computed from the environment and the file system's modes: asking for it creates nothing.
"""

import hashlib
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[2]
# Where root keeps what the server's own user must reach.
STATE_DIR = Path("/var/lib/credentials-portal")
# The kernel allows 107 bytes for a socket's path; some are left for the lock file beside it.
LONGEST_SOCKET_PATH = 100
PORT = 5432


def data_dir() -> Path:
    """PORTAL_DATA_DIR (relative to the project), or `.data` in the project."""
    return (PROJECT_DIR / (os.environ.get("PORTAL_DATA_DIR") or ".data")).resolve()


@dataclass(frozen=True)
class Account:
    """A user of the machine, as far as files are concerned."""

    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether the server runs as somebody else than this process."""
        return self.uid != os.geteuid()

    def may_enter(self, directory: Path) -> bool:
        """Whether the modes of the directory and of all above it let this user pass; what does not exist does not bar."""
        return all(
            self._may_pass(step) for step in (directory, *directory.parents) if os.path.exists(step)
        )

    def _may_pass(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == self.gid else 0o001))


@dataclass(frozen=True)
class Place:
    """One server's private directory, and the account that owns it."""

    home: Path
    account: Account

    @property
    def cluster(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    def socket_dir(self) -> Path:
        """The home itself, or a short directory of its own where the home's path cannot be a socket's.

        It may be too long, and PostgreSQL and its clients read commas and quotes as marks of a list.
        """
        socket = os.fsencode(self.home / f".s.PGSQL.{PORT}")
        if len(socket) <= LONGEST_SOCKET_PATH and not set(socket) & set(b',"'):
            return self.home
        # Not the process's TMPDIR: all users of one server must find the same socket.
        return Path("/tmp") / f"portal-{_fingerprint(self.home)}"  # noqa: S108 - made 0700, its owner is checked

    @property
    def lock_files(self) -> tuple[Path, Path]:
        """The two files in which a PostgreSQL server writes its process id."""
        return self.cluster / "postmaster.pid", self.socket_dir / f".s.PGSQL.{PORT}.lock"


def locate() -> Place:
    """The place of this checkout's server.

    PostgreSQL refuses to run as root, so that root's server runs as the owner of existing data, else as `nobody`;
    and where this user cannot enter the data directory, the server lives under STATE_DIR.
    """
    home = data_dir() / "postgres"
    if os.geteuid() != 0:
        return Place(home, Account(os.geteuid(), os.getegid()))
    account = _server_account(home)
    if account.may_enter(home.parent):
        return Place(home, account)
    relocated = STATE_DIR / _fingerprint(home)
    return Place(relocated, _server_account(relocated))


def make_passable(directory: Path) -> None:
    """Create the directory and what is missing above it; root creates them so that every user can pass."""
    for step in reversed([directory, *directory.parents]):
        if not step.exists():
            step.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                step.chmod(0o755)


def _server_account(home: Path) -> Account:
    owner = home.stat().st_uid if home.exists() else 0
    user = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    return Account(user.pw_uid, user.pw_gid)


def _fingerprint(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
