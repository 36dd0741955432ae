"""The embedded PostgreSQL under rough treatment."""

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from config.datadir import DataDir, NeedsAttention
from config.postgres import Postgres
from tests.chaos.conftest import ROOT, processes_of, until

pytestmark = pytest.mark.chaos

_OWNER = "import sys, time; from pathlib import Path; from config.postgres import Postgres; "
_OWNER += "server = Postgres(Path(sys.argv[1])); server.start(); print('up', server.pid, flush=True); time.sleep(60)"


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[[], Postgres]]:
    """Servers on the test's folder, stopped afterwards."""
    servers: list[Postgres] = []

    def make() -> Postgres:
        servers.append(Postgres(folder))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


def _write(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")


def _rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    return int(row[0]) if row else 0


def test_second_start_serves_the_same_data_at_the_same_address(serve: Callable[[], Postgres]) -> None:
    first = serve()
    url = first.start()
    _write(url)
    first.stop()

    again = serve().start()

    assert again == url
    assert _rows(again) == 1


def test_killed_server_starts_again_with_everything_committed(serve: Callable[[], Postgres]) -> None:
    server = serve()
    _write(server.start())

    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not server.alive(), seconds=5, what="the server is dead")
    url = server.start()

    assert _rows(url) == 1


def test_server_ends_cleanly_when_its_owner_is_killed(folder: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline().startswith(b"up")

    owner.kill()
    owner.communicate()

    until(lambda: not processes_of(folder), seconds=5, what="the server followed its owner")
    assert "database system is shut down" in (folder / "logs" / "postgresql.log").read_text()


def test_lock_file_that_names_a_foreign_process_does_not_stop_a_start(
    serve: Callable[[], Postgres], folder: Path
) -> None:
    server = serve()
    server.start()
    server.stop()
    (folder / "postgres" / "postmaster.pid").write_text(
        f"{os.getpid()}\n/elsewhere\n1\n5432\n\n127.0.0.1\n0 0\nready\n"
    )

    server.start()

    assert server.alive()


def test_port_taken_by_another_program_is_replaced(serve: Callable[[], Postgres], folder: Path) -> None:
    server = serve()
    server.start()
    server.stop()
    taken = int((folder / "postgres.port").read_text())
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", taken))
        squatter.listen()

        url = server.start()

    assert f":{taken}/" not in url
    psycopg.connect(url).close()


def test_nobody_gets_in_without_the_password(serve: Callable[[], Postgres]) -> None:
    server = serve()
    server.start()
    port = server.url.rsplit(":", 1)[1].split("/")[0]

    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres")


def test_application_is_not_superuser(serve: Callable[[], Postgres]) -> None:
    with psycopg.connect(serve().start()) as connection:
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()

    assert row == (False,)


def test_commits_are_durable(serve: Callable[[], Postgres]) -> None:
    with psycopg.connect(serve().start()) as connection:
        kept = [
            connection.execute(f"SHOW {name}").fetchone()
            for name in ("fsync", "synchronous_commit", "full_page_writes")
        ]

    assert kept == [("on",)] * 3


def test_half_made_cluster_is_started_over(serve: Callable[[], Postgres], folder: Path) -> None:
    (folder / "postgres.new").mkdir(mode=0o700)
    (folder / "postgres.new" / "PG_VERSION").write_text("1")
    DataDir(folder).path.joinpath(".watchkeeper-data").touch()

    server = serve()
    server.start()

    assert server.alive()


def test_folder_without_binaries_is_refused_with_a_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_BIN", "/usr/share")

    with pytest.raises(NeedsAttention, match="name a bin folder of PostgreSQL >= 15"):
        Postgres(folder).start()


def test_binaries_that_are_too_old_are_refused_with_a_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = folder / "old"
    old.mkdir()
    for name in ("postgres", "initdb"):
        (old / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n")
        (old / name).chmod(0o755)
    monkeypatch.setenv("POSTGRES_BIN", str(old))

    with pytest.raises(NeedsAttention, match="is PostgreSQL 14; name a bin folder of 15 or newer in POSTGRES_BIN"):
        Postgres(folder / "data").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="a normal user always reaches its own folder")
def test_folder_closed_to_the_servers_user_is_left_closed() -> None:
    closed = Path(tempfile.mkdtemp(prefix="watchkeeper-closed-"))  # 0700, root's
    server = Postgres(closed / "data")

    try:
        server.start()
        cluster = (closed / "data" / "postgres").resolve()
        alive = server.alive()
    finally:
        server.stop()
        server.home.empty()

    assert alive
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert cluster.is_relative_to("/var/lib/watchkeeper")
    assert not cluster.exists()
