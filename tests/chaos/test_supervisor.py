"""`make up`: what survives what, and what is said to a person who must put something right."""

import os
import re
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.datadir import DataDir
from config.postgres import Postgres
from tests import prepared
from tests.chaos.conftest import Stack, free_port, processes_of, until

pytestmark = pytest.mark.chaos


def _answers(stack: Stack) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{stack.port}/", timeout=5).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except OSError:
        return False
    return True


@pytest.mark.usefixtures("after_first_start")
def test_killed_children_are_replaced_and_an_interrupt_ends_them_all(up: Callable[..., Stack], folder: Path) -> None:
    stack = up()
    stack.await_open()
    parts = ("uvicorn", "-Q shifts", "-Q control", "celery_command beat", "postgres -D")
    before = {part: stack.child(part) for part in parts}
    assert all(before.values()), before

    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    until(
        lambda: all(stack.child(part) not in {0, before[part]} for part in parts), seconds=20, what="all are replaced"
    )
    until(lambda: _answers(stack), seconds=20, what="the web answers again")
    for name in ("web", "worker", "control", "beat"):
        assert f"{name} was ended by SIGKILL; starting it again." in stack.said()
    assert "PostgreSQL ended unexpectedly; starting it again." in stack.said()

    stack.process.send_signal(signal.SIGINT)

    assert stack.process.wait(25) == 0
    assert processes_of(folder) == {}
    assert "Traceback" not in stack.said()


@pytest.mark.timeout(400)
def test_second_up_reuses_the_data_and_killed_takes_everything_with_it(up: Callable[..., Stack], folder: Path) -> None:
    """The first begins with nothing: no cluster, no schema, no static files."""
    first = up()
    first.await_open()
    made = (folder / "postgres" / "PG_VERSION").stat().st_mtime_ns
    secret = (folder / "secrets" / "django").read_text()
    first.process.terminate()
    assert first.process.wait(25) == 0

    second = up()
    second.await_open()

    assert (folder / "postgres" / "PG_VERSION").stat().st_mtime_ns == made
    assert (folder / "secrets" / "django").read_text() == secret

    second.process.kill()
    second.process.wait()

    until(lambda: not processes_of(folder), seconds=4, what="all children followed")


def test_second_up_on_the_same_data_is_refused(up: Callable[..., Stack], folder: Path) -> None:
    first = DataDir(folder)
    first.create()
    first.lock()

    try:
        said = _refusal(up())
    finally:
        first.unlock()

    assert "already running" in said


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        yield squatter.getsockname()[1]


def _refusal(stack: Stack) -> str:
    """The one sentence it ended with."""
    assert stack.process.wait(30) == 1, stack.said()
    assert "Traceback" not in stack.said()
    complaints = [line for line in stack.said().splitlines() if "✗" in line and not line.rstrip().endswith(" s")]
    assert len(complaints) == 1, stack.said()
    return complaints[0]


def test_busy_port_is_refused_naming_another(up: Callable[..., Stack], busy_port: int) -> None:
    assert f"make up PORT={busy_port + 1}" in _refusal(up(PORT=str(busy_port)))


@pytest.mark.parametrize(
    ("environment", "remedy"),
    [
        ({"PORT": "eighty"}, "choose one from 1 to 65535"),
        ({"HOST": "203.0.113.7"}, "correct HOST or PORT"),
        ({"DRAIN_SECONDS": "soon"}, "is not a whole number from 0 to 3600; correct or unset it"),
        ({"FEED_RATE": "often"}, "write 6, 0.5 or 0, or unset it"),
        ({"SHIFTS": "two"}, "prepared: SHIFTS='two' is not a whole number from 1 to 256; correct or unset it"),
        ({"WATCHKEEPER_DATA": "/proc/watchkeeper"}, "name another with WATCHKEEPER_DATA"),
        ({"WATCHKEEPER_DATA": "/usr/share"}, "name an empty folder with WATCHKEEPER_DATA"),
        ({"DATABASE_URL": "mysql://somewhere/x"}, "write it as postgresql://user:password@host:port/name"),
        (
            {"DATABASE_URL": "postgresql://u@127.0.0.1:notaport/x"},
            "write it as postgresql://user:password@host:port/name",
        ),
        ({"DATABASE_URL": "postgresql://u@127.0.0.1:1/x"}, "start that server, or unset DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u@no-such-host.invalid/x"}, "host name is unknown"),
        ({"POSTGRES_BIN": "/usr/share"}, "name a bin folder of PostgreSQL >= 15"),
    ],
    ids="port host drain feed shifts unwritable foreign scheme malformed down unknown binaries".split(),
)
def test_bad_input_is_answered_in_one_sentence(
    up: Callable[..., Stack], environment: dict[str, str], remedy: str
) -> None:
    assert remedy in _refusal(up(**environment))


def test_wrong_password_and_missing_database_are_told_apart(up: Callable[..., Stack], folder: Path) -> None:
    server = Postgres(folder / "server", durable=False)
    url = server.start()
    password = url.split(":")[2].split("@")[0]
    try:
        wrong = _refusal(up(DATABASE_URL=url.replace(password, "guess"), WATCHKEEPER_DATA=str(folder / "one")))
        missing = _refusal(up(DATABASE_URL=url.rsplit("/", 1)[0] + "/absent", WATCHKEEPER_DATA=str(folder / "two")))
    finally:
        server.stop()

    assert "password or user name is wrong" in wrong
    assert "does not exist; create it" in missing


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_stacks_live_beside_each_other(up: Callable[..., Stack], folder: Path) -> None:
    for name in ("one", "two"):
        prepared.copy_into(folder / name)
    first = up(WATCHKEEPER_DATA=str(folder / "one"))
    first.await_open()

    second = up(WATCHKEEPER_DATA=str(folder / "two"), PORT=str(free_port()))
    second.await_open()

    assert _answers(first)
    assert _answers(second)


@pytest.mark.usefixtures("after_first_start")
def test_killed_local_model_is_served_again_at_the_same_address(up: Callable[..., Stack]) -> None:
    stack = up(WATCHKEEPER_LLM="local")
    stack.await_open()
    address = re.search(r"worded by smollm2@(http://\S+)/v1", stack.said())
    assert address, stack.said()
    first = stack.child("agents.local_llm")

    os.kill(first, signal.SIGKILL)

    until(lambda: stack.child("agents.local_llm") not in {0, first}, seconds=20, what="it is replaced")
    until(lambda: _is_healthy(f"{address[1]}/health"), seconds=60, what="the model answers")
    assert "model was ended by SIGKILL; starting it again." in stack.said()


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
