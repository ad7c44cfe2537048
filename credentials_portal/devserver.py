"""`make run`: the database, its schema, the demo, and then its processes: the web server, the outbox's delivery, the
schedule and, where no LMS is set, a stand-in for one.

SIGINT, SIGTERM or SIGHUP stops them all, and then the embedded database unless somebody else uses it. Should one of
them end by itself, the others are stopped and the exit code is 1. Should this process be killed, they end by themselves.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import FrameType

from credentials_portal import devdb
from credentials_portal.devdb.place import PROJECT_DIR, data_dir
from credentials_portal.devlms import StandInLms

HOST = "127.0.0.1"
MANAGE = (sys.executable, "manage.py")
REQUEST_GRACE_SECONDS = 10
STOP_SECONDS = REQUEST_GRACE_SECONDS + 5
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# From Linux' <sys/prctl.h>.
PR_SET_PDEATHSIG = 1

# The stand-in's port is so much above the portal's.
LMS_PORT_OFFSET = 100


class PortError(Exception):
    """The portal cannot be served at the wanted port; the message says why and what to do."""


def main() -> int:
    """Serve until told to stop; the exit code of the process."""
    for number in STOP_SIGNALS:
        signal.signal(number, leave_once)
    try:
        with claim_port(os.environ.get("PORT") or "8000") as listener:
            port = listener.getsockname()[1]
            stand_in = {} if os.environ.get("LMS_BASE_URL") else _stand_in_lms(port)
            devdb.start()
            _run((*MANAGE, "migrate", "--verbosity=0"))
            _run((*MANAGE, "seed_demo"))
            if stand_in:
                _tell_of_stand_in()
            _say(f"The portal is at http://localhost:{port}/ (Ctrl-C stops it).")
            return supervise(
                {
                    **stand_in,
                    "The web server": _web_server(listener),
                    "The delivery of the outbox": (*MANAGE, "deliver_outbox", "--follow"),
                    "The schedule": (*MANAGE, "run_due_jobs", "--follow"),
                },
                pass_fds=[listener.fileno()],
            )
    except (PortError, devdb.DevdbError, subprocess.CalledProcessError) as error:
        _say(str(error))
        return 1


def claim_port(port: str) -> socket.socket:
    """A listening socket for the web server to take over, so that nobody else gets the port meanwhile."""
    try:
        if not 0 < int(port) < 65536:
            raise ValueError("it must be between 1 and 65535")
        return socket.create_server((HOST, int(port)))
    except (OSError, ValueError) as error:
        raise PortError(
            f"The portal cannot be served at port {port}: {error}. For another one: make run PORT=8001"
        ) from error


def supervise(commands: Mapping[str, Sequence[str]], *, pass_fds: Collection[int] = ()) -> int:
    """Run the named commands until one ends, or this process is told to stop; then stop them all."""
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            children[name] = _spawn(command, pass_fds)
        while all(child.poll() is None for child in children.values()):
            time.sleep(0.2)
        for name, child in children.items():
            if child.returncode is not None:
                _say(
                    f"{name} ended by itself, with code {child.returncode}; everything is stopped."
                )
        return 1
    finally:
        _stop(children.values())


def _stand_in_lms(portal_port: int) -> Mapping[str, Sequence[str]]:
    """The command that serves a stand-in for the LMS, to which this process' children are pointed."""
    port = portal_port + LMS_PORT_OFFSET
    claim_port(str(port)).close()
    stand_in = StandInLms(port=port)
    os.environ["LMS_BASE_URL"] = stand_in.url
    os.environ["LMS_CLIENT_ID"] = stand_in.client_id
    os.environ["LMS_CLIENT_SECRET"] = stand_in.client_secret
    return {
        "The stand-in LMS": (
            *(sys.executable, "-m", "credentials_portal.devlms"),
            *("--port", str(port), "--log", str(_lms_log())),
        )
    }


def _lms_log() -> Path:
    return data_dir() / "lms.log"


def _tell_of_stand_in() -> None:
    names = ("LMS_BASE_URL", "LMS_CLIENT_ID", "LMS_CLIENT_SECRET")
    _say(
        "LMS_BASE_URL is not set: a stand-in takes the LMS' place, and keeps what it is told in"
        f" {os.path.relpath(_lms_log(), PROJECT_DIR)}. To let commands of your own speak to it:\n"
        f"  export {' '.join(f'{name}={os.environ[name]}' for name in names)}"
    )


def _web_server(listener: socket.socket) -> Sequence[str]:
    return (
        *(sys.executable, "-m", "gunicorn", "credentials_portal.wsgi"),
        *("--bind", f"fd://{listener.fileno()}", "--workers", "2", "--threads", "4"),
        *("--graceful-timeout", str(REQUEST_GRACE_SECONDS), "--log-level", "warning"),
    )


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, cwd=PROJECT_DIR, check=True)  # noqa: S603 - one of this project's own commands


def _spawn(command: Sequence[str], pass_fds: Collection[int]) -> subprocess.Popen[bytes]:
    """A child outside of the terminal's process group: Ctrl-C reaches only this process, which then stops it."""
    return subprocess.Popen(  # noqa: S603 - one of this project's own commands
        command,
        cwd=PROJECT_DIR,
        pass_fds=pass_fds,
        process_group=0,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - this process has no threads
    )


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(children: Collection[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        try:
            child.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def leave_once(_number: int, _frame: FrameType | None) -> None:
    """Leave once: a second signal must not interrupt the stopping."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def _say(message: str) -> None:
    sys.stderr.write(f"{message}\n")


if __name__ == "__main__":
    sys.exit(main())
