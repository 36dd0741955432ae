"""A real server for socket tests: uvicorn in a thread, the product's sockets, the test's database."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import orjson
import psycopg
import pytest
import uvicorn
from channels.routing import ProtocolTypeRouter
from django.contrib.auth.models import User
from django.test import Client
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from monitoring.routing import websocket_application
from orchestrator import db
from orchestrator.sequencer import seal_all


class Browser:
    """One socket, and what a page would do with it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, **message: Any) -> None:
        self.socket.send(orjson.dumps(message).decode())

    def hear(self, kind: str = "", *, seconds: float = 30) -> dict[str, Any]:
        """The next message of a kind."""
        deadline = time.monotonic() + seconds
        while True:
            message: dict[str, Any] = orjson.loads(self.socket.recv(timeout=max(0.01, deadline - time.monotonic())))
            if not kind or message["type"] == kind:
                return message

    def join(self, *topics: str, **more: Any) -> dict[str, Any]:
        self.say(type="subscribe", topics=list(topics), **more)
        return self.hear("subscribed")

    def hear_all(self, *, seconds: float) -> list[dict[str, Any]]:
        """Everything that arrives in a time."""
        heard = []
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                heard.append(orjson.loads(self.socket.recv(timeout=left)))
            except TimeoutError:
                break
        return heard

    def close_code(self, *, seconds: float = 30) -> int:
        """With which code the server closes the socket."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.socket.recv(timeout=max(0.01, deadline - time.monotonic()))
        return self.socket.close_code or 0


class Live:
    """The server's address, sessions, and a connection to write events with."""

    def __init__(self, port: int, connection: psycopg.Connection[Any]) -> None:
        self.port = port
        self.connection = connection

    def sign_in(self, user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        seal_all(self.connection)  # making the user was an event
        return client

    def head(self) -> int:
        """The ledger's last position."""
        row = self.connection.execute("SELECT coalesce(max(pos), 0) FROM orchestrator_ledger").fetchone()
        assert row is not None
        return int(row[0])

    def open(self, client: Client | None, **more: Any) -> AbstractContextManager[Browser]:
        """A page's socket; `origin` and `headers` as given, else as a browser sends them."""
        return open_socket(self.port, client, **more)

    def happen(self, kind: str, run_id: int | None = None, data: dict[str, Any] | None = None) -> None:
        """An event, sealed."""
        text = orjson.dumps(data).decode() if data else None
        self.connection.execute("SELECT append_event(%s, 'engine', %s, NULL, %s::jsonb)", [kind, run_id, text])
        seal_all(self.connection)


def open_socket(port: int, client: Client | None, **more: Any) -> AbstractContextManager[Browser]:
    """A page's socket on the web server at a port of this machine."""
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items()) if client else ""
    more.setdefault("origin", f"http://127.0.0.1:{port}")
    return _open(f"ws://127.0.0.1:{port}/ws/live", {"Cookie": cookies}, more)


@contextmanager
def _open(address: str, headers: dict[str, str], more: dict[str, Any]) -> Iterator[Browser]:
    with connect(address, additional_headers=headers, open_timeout=10, close_timeout=1, **more) as socket:
        yield Browser(socket)


@pytest.fixture
def live(transactional_db: None) -> Iterator[Live]:
    """A running server."""
    server = uvicorn.Server(
        uvicorn.Config(
            ProtocolTypeRouter({"websocket": websocket_application}),
            host="127.0.0.1",
            port=0,
            lifespan="off",
            log_level="warning",
            ws_max_size=65_536,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    _wait(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    with psycopg.connect(**db.connection_parameters()) as connection:
        yield Live(port, connection)
    server.should_exit = server.force_exit = True
    thread.join(10)
    assert not thread.is_alive()


def _wait(claim: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.005)
