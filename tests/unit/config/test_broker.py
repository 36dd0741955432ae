"""The file broker, spoken to through kombu."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.worker import state
from kombu import Connection

import config.celery  # noqa: F401  registers the transport


def _connect(folder: Path) -> Connection:
    for name in ("messages", "control"):
        (folder / name).mkdir(exist_ok=True)
    options = {"data_folder_in": str(folder / "messages"), "data_folder_out": str(folder / "messages")}
    return Connection("filesystem://", transport_options=options | {"control_folder": str(folder / "control")})


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with _connect(tmp_path) as connected:
        yield connected


def test_a_message_arrives_whole_and_leaves_nothing_behind(connection: Connection, tmp_path: Path) -> None:
    queue = connection.SimpleQueue("control")
    queue.put({"ring": "ä"})

    message = queue.get(timeout=2)
    message.ack()

    assert message.payload == {"ring": "ä"}
    assert list((tmp_path / "messages").iterdir()) == []


def test_each_message_is_taken_by_exactly_one_of_two_readers(tmp_path: Path) -> None:
    taken: list[int] = []
    ready = threading.Barrier(3)

    def read() -> None:
        with _connect(tmp_path) as connected:
            channel = connected.default_channel
            ready.wait()
            while len(taken) < 200 and not failed.is_set():
                try:
                    taken.append(channel._get("q")["n"])
                except Exception as error:
                    if type(error).__name__ != "Empty":
                        failed.set()
                        raise

    failed = threading.Event()
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    with _connect(tmp_path) as connected:
        ready.wait()
        for number in range(200):
            connected.default_channel._put("q", {"n": number})
    for reader in readers:
        reader.join(20)

    assert not failed.is_set()
    assert sorted(taken) == list(range(200))


def test_a_wait_is_as_long_as_asked_for(connection: Connection) -> None:
    connection.SimpleQueue("idle")
    began = time.monotonic()

    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.3)

    assert time.monotonic() - began >= 0.3


def test_a_worker_told_to_leave_stops_waiting(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.SimpleQueue("idle")
    leave = threading.Timer(0.2, monkeypatch.setattr, [state, "should_stop", 0])
    leave.start()
    began = time.monotonic()

    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=30)

    leave.join()
    assert time.monotonic() - began < 5
