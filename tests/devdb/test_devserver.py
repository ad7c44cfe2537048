"""What `make run` does around the portal's processes."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from credentials_portal.devdb.place import PROJECT_DIR
from credentials_portal.devserver import LMS_PORT_OFFSET, PortError, claim_port, supervise
from tests.devdb.users import Server


def test_a_taken_port_is_refused_before_anything_starts(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = subprocess.run(
            [sys.executable, "-m", "credentials_portal.devserver"],
            cwd=PROJECT_DIR,
            env=Server(directory / "data").environment | {"PORT": port},
            capture_output=True,
            text=True,
            check=False,
        )

    assert finished.returncode == 1
    assert finished.stderr.startswith(f"The portal cannot be served at port {port}: ")
    assert not (directory / "data").exists()


@pytest.mark.parametrize("port", ["http", "-1", "70000"])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(PortError, match=f"cannot be served at port {port}"):
        claim_port(port)


def test_a_taken_port_of_the_stand_in_lms_is_refused_before_anything_starts(
    directory: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = subprocess.run(
            [sys.executable, "-m", "credentials_portal.devserver"],
            cwd=PROJECT_DIR,
            env=Server(directory / "data").environment
            | {"PORT": str(port - LMS_PORT_OFFSET), "LMS_BASE_URL": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    assert finished.returncode == 1
    assert finished.stderr.startswith(f"The portal cannot be served at port {port}: ")
    assert not (directory / "data").exists()


def test_the_stand_in_lms_writes_what_it_is_told(tmp_path: Path) -> None:
    log = tmp_path / "data" / "lms.log"
    server = subprocess.Popen(
        [sys.executable, "-m", "credentials_portal.devlms", "--port", "0", "--log", str(log)],
        cwd=PROJECT_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    address = server.stdout.readline().split()[-1]

    httpx.post(f"{address}/oauth2/access_token", data={"client_secret": "secret"})
    httpx.post(f"{address}/enterprise/api/v1/pending-enterprise-learner/", json=[{"a": "é"}])
    server.terminate()
    server.communicate()

    [line] = log.read_text(encoding="utf-8").splitlines()
    assert line.endswith(' POST /enterprise/api/v1/pending-enterprise-learner/ 401 [{"a": "é"}]')


def test_a_process_that_ends_takes_the_other_along(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pid_file = tmp_path / "pid"
    stays = ("sh", "-c", f"echo $$ > {pid_file}; exec sleep 600")
    ends = ("sh", "-c", f"while [ ! -s {pid_file} ]; do sleep 0.01; done; exit 3")

    code = supervise({"Staying": stays, "Ending": ends})

    assert code == 1
    assert capfd.readouterr().err == "Ending ended by itself, with code 3; everything is stopped.\n"
    assert not _is_alive(int(pid_file.read_text()))


SUPERVISOR = """
from credentials_portal.devserver import *
for number in STOP_SIGNALS:
    signal.signal(number, leave_once)
supervise({"web": ["sh", "-c", "echo begun; exec sleep 600"], "outbox": ["sh", "-c", "echo begun; exec sleep 600"]})
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_both_processes_end_with_their_supervisor(number: signal.Signals) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR], cwd=PROJECT_DIR, stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    begun = [supervisor.stdout.readline() for _ in range(2)]

    supervisor.send_signal(number)
    # The pipe ends when the last of the three processes does.
    rest, _ = supervisor.communicate()

    assert (begun, rest) == (["begun\n", "begun\n"], "")
    assert supervisor.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 0)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
