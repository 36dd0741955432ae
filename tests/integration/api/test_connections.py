"""A web process as it is started: requests share warm connections to the database, and outlive their loss."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from tests import flush

ROOT = Path(__file__).resolve().parents[3]


def _database() -> str:
    settings = connection.settings_dict
    owner = quote(settings["USER"]) + (f":{quote(settings['PASSWORD'])}" if settings["PASSWORD"] else "")
    return f"postgresql://{owner}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"


def _ready(port: int) -> int:
    """The status of one request that reads the database; 0 while nobody listens."""
    web = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        web.request("GET", "/readyz")
        return web.getresponse().status
    except OSError:
        return 0
    finally:
        web.close()


def _others(do: str) -> set[int]:
    """The process ids of everybody else's connections to this database, after doing something to each."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pid, {do} FROM pg_stat_activity"
            f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> '{flush.SESSION}'"
        )
        return {row[0] for row in cursor.fetchall()}


@pytest.fixture
def port(transactional_db: None, tmp_path: Path) -> Iterator[int]:
    """A web process of its own on the test's database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--host", "127.0.0.1", "--port", str(free)]
    env = os.environ | {"DATABASE_URL": _database(), "WATCHKEEPER_DATA": str(tmp_path), "SECRET_KEY": "test"}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not _ready(free):
            assert process.poll() is None, "the web process ended"
            assert time.monotonic() < deadline, "not within 60 s: the web process answers"
            time.sleep(0.05)
        yield free
    finally:
        process.kill()
        process.wait()


def test_requests_share_connections_and_outlive_their_loss(port: int) -> None:
    seen = [_others("true") for _ in range(6) if _ready(port) == http.client.OK]

    assert len(seen) == 6
    assert set.intersection(*seen)  # a connection for each request would be gone, or another one each time

    lost = _others("pg_terminate_backend(pid, 20000)")  # and wait until they are gone

    assert [_ready(port) for _ in range(4)] == [http.client.OK] * 4
    assert not _others("true") & lost
