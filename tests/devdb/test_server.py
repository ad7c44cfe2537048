"""The embedded server under what users do to it. Each user is a real process with a real server."""

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from credentials_portal.devdb.binaries import _copy_of, _wheel
from credentials_portal.devdb.place import STATE_DIR, Account
from tests.devdb.users import START, Server, User, answers, query

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="Only root's server runs as another user.")


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A live process that has nothing to do with any server."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("binaries", [None, _wheel()], ids=["first choice", "wheel"])
def test_offers_a_database_that_knows_unicode(directory: Path, binaries: Path | None) -> None:
    server = Server(directory, {"PORTAL_PG_BIN": str(binaries or "")})

    with server.used() as user:
        row = query(
            user.url,
            "SELECT current_database(), lower('ÉÄ'), current_setting('server_encoding'),"
            " current_setting('listen_addresses')",
        )

    assert row == ("portal", "éä", "UTF8", "")


def test_runs_the_wheels_server_where_no_other_is_named(directory: Path) -> None:
    wheel = _wheel()
    assert wheel is not None

    with Server(directory, {"PORTAL_PG_BIN": str(wheel)}).used() as user:
        row = query(user.url, "SELECT current_setting('server_version_num')::int / 10000")

    assert wheel.parent.name == f"pginstall{row[0]}" if row else False


def test_stops_with_its_last_user(server: Server) -> None:
    with server.used() as second:
        with server.used():
            pass

        assert answers(second.url)

    assert not answers(second.url)


def test_three_first_users_share_one_server(fresh_server: Server) -> None:
    users = [User(process) for process in [fresh_server.spawn() for _ in range(3)]]

    started = {query(user.url, "SELECT pg_postmaster_start_time()") for user in users}
    for user in users:
        user.leave()

    assert len(started) == 1
    assert not answers(users[0].url)


def test_next_user_takes_over_from_a_killed_one(server: Server) -> None:
    with server.used() as killed:
        killed.kill()
    pid = server.pid

    with server.used() as user:
        assert server.pid == pid

    assert not answers(user.url)


def test_forked_child_does_not_stop_it(server: Server) -> None:
    finished = server.python(
        "import os, sys\n"
        f"{START}\n"
        "child = os.fork()\n"
        "if not child: sys.exit(0)\n"
        "os.waitpid(child, 0)\n"
        "devdb.recreate_database()\n"
    )

    assert finished.returncode == 0, finished.stderr


def test_killed_server_comes_back_with_its_data(server: Server) -> None:
    with server.used() as user:
        query(user.url, "DROP TABLE IF EXISTS kept")
        query(user.url, "CREATE TABLE kept AS SELECT 42 AS number")
        os.kill(server.pid, signal.SIGKILL)

        with server.used() as other:
            row = query(other.url, "SELECT number FROM kept")

    assert row == (42,)


def test_starting_again_revives_it_for_a_user_who_stayed(server: Server) -> None:
    finished = server.python(
        "import os, signal\n"
        f"{START}\n"
        f"pid = int(open({str(server.pid_file)!r}).readline())\n"
        "os.kill(pid, signal.SIGKILL)\n"
        "devdb.start()\n"
        "devdb.recreate_database()\n"
    )

    assert finished.returncode == 0, finished.stderr


def test_spares_the_process_that_a_stale_lock_file_names(
    server: Server, bystander: subprocess.Popen[bytes]
) -> None:
    for lock_file in (server.pid_file, server.home / ".s.PGSQL.5432.lock"):
        lock_file.write_text(f"{bystander.pid}\n{server.home / 'data'}\n")

    with server.used() as user:
        assert answers(user.url)

    assert bystander.poll() is None


@pytest.mark.parametrize("content", ["", "\n", "12x", "999999999\n"])
def test_overcomes_a_damaged_lock_file(server: Server, content: str) -> None:
    server.pid_file.write_text(content)

    with server.used() as user:
        assert answers(user.url)


@pytest.mark.parametrize("name", ["x" * 120, 'it\'s a "$HOME", too: é+%41#?'], ids=["long", "odd"])
def test_lives_in_any_directory(directory: Path, name: str) -> None:
    with Server(directory / name).used() as user:
        assert answers(user.url)

    assert not answers(user.url)


def test_refuses_the_data_of_another_major_version(directory: Path) -> None:
    server = Server(directory)
    version = server.home / "data" / "PG_VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("9\n")

    finished = server.python(START)

    assert finished.returncode == 1
    assert "The data was made by PostgreSQL 9" in finished.stderr
    assert "Set PORTAL_PG_BIN" in finished.stderr
    assert list(version.parent.iterdir()) == [version]


def test_refuses_a_named_directory_without_programs(directory: Path) -> None:
    finished = Server(directory, {"PORTAL_PG_BIN": str(directory)}).python(START)

    assert finished.returncode == 1
    assert f"PORTAL_PG_BIN: {directory} must hold initdb, pg_ctl, postgres" in finished.stderr


def test_leaves_the_database_to_a_server_that_is_named(directory: Path) -> None:
    server = Server(directory / "data", {"DATABASE_URL": "postgres://portal@db.example.org/portal"})

    started = server.python(START)
    recreated = server.python("from credentials_portal import devdb; devdb.recreate_database()")

    assert started.returncode == 0, started.stderr
    assert "its database is left alone" in recreated.stderr
    assert not server.data_dir.exists()


def test_each_run_of_the_tests_claims_a_database_of_its_own(server: Server) -> None:
    claim = "devdb.claim_test_database()"
    code = f"import subprocess, sys; {START}; print({claim}, {claim}, flush=True)"
    nested = f"{code}; subprocess.run([sys.executable, '-c', {code!r}], check=True)"

    at_once = server.python(nested)
    later = server.python(code)

    assert at_once.stdout.split() == [f"test_portal_{number}" for number in (1, 2, 3, 4)]
    assert later.stdout.split() == ["test_portal_1", "test_portal_2"]
    assert (at_once.stderr, later.stderr) == ("", "")


@as_root
def test_moves_out_of_a_directory_that_its_user_cannot_enter(directory: Path) -> None:
    directory.chmod(0o700)

    with Server(directory / "data").used() as user:
        row = query(user.url, "SHOW data_directory")

    assert row is not None
    home = Path(str(row[0])).parent
    assert home.parent == STATE_DIR
    assert list(directory.iterdir()) == []
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    shutil.rmtree(home)


@as_root
def test_copies_the_wheels_programs_to_where_its_user_can_run_them(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = _wheel()
    assert wheel is not None
    monkeypatch.setattr("credentials_portal.devdb.binaries.STATE_DIR", directory / "state")

    copy = _copy_of(wheel)

    nobody = Account(65534, 65534)
    assert nobody.may_enter(copy)
    subprocess.run([copy / "initdb", "--version"], check=True, user=nobody.uid, group=nobody.gid)
    assert _copy_of(wheel) == copy
