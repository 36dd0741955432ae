"""OPA over its data API, spoken to a real HTTP server: anything but a clear yes in time is a no."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from agents.policies.opa import Opa, close_clients
from agents.policies.rules import Question, Ruling

QUESTION = Question("refunder", "pay.refund", "high", ("money",), {"amount": 5}, {"workflow": "refunds"})


class Data(BaseHTTPRequestHandler):
    """Answers as told; keeps what it was asked."""

    status: ClassVar[int] = 200
    answer: ClassVar[bytes] = b"{}"
    delay: ClassVar[float] = 0
    asked: ClassVar[list[tuple[str, dict[str, Any], str]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append((self.path, body, self.headers.get("authorization", "")))
        time.sleep(self.delay)
        self.send_response(self.status)
        self.send_header("location", "http://127.0.0.1:1/")
        self.send_header("content-length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Data.status, Data.answer, Data.delay = 200, b"{}", 0
    Data.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Data)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/data/watchkeeper/tools"
    server.shutdown()
    thread.join()
    server.server_close()


async def decide(address: str, **how: Any) -> Ruling:
    try:
        return await Opa(address, **how).decide(QUESTION)
    finally:
        await close_clients()


async def test_a_clear_yes_allows_and_risk_still_asks(address: str) -> None:
    Data.answer = b'{"result": {"allow": true, "entitlement": "e1"}}'
    ruling = await decide(address, token="t0ken")

    assert ruling == Ruling(True, "operations", "opa", "e1")
    path, body, bearer = Data.asked[0]
    assert path == "/v1/data/watchkeeper/tools"
    assert bearer == "Bearer t0ken"
    assert body["input"]["tool"] == {"name": "pay.refund", "version": 1, "risk": "high"}
    assert body["input"]["arguments"] == {"amount": 5}


async def test_it_may_say_whom_to_ask_or_nobody(address: str) -> None:
    Data.answer = b'{"result": {"allow": true, "queue": "leads"}}'
    assert (await decide(address)).queue == "leads"
    Data.answer = b'{"result": {"allow": true, "queue": "none"}}'
    assert (await decide(address)).queue == ""


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b'{"result": {}}',
        b'{"result": true}',
        b'{"result": {"allow": "true"}}',
        b'{"result": {"allow": 1}}',
        b'{"result": {"allow": false, "reason": "not on Sundays"}}',
        b"not json",
        b"[]",
        b'{"result": {"allow": true, "x": "' + b"y" * 100_000 + b'"}}',
    ],
)
async def test_anything_else_denies(address: str, answer: bytes) -> None:
    Data.answer = answer
    ruling = await decide(address)

    assert not ruling.allowed
    assert ruling.why


@pytest.mark.parametrize("status", [302, 400, 500])
async def test_errors_and_redirects_deny(address: str, status: int) -> None:
    Data.status, Data.answer = status, b'{"result": {"allow": true}}'
    assert (await decide(address)).code == "policy_engine"


async def test_a_slow_or_absent_service_denies(address: str) -> None:
    Data.answer, Data.delay = b'{"result": {"allow": true}}', 0.4
    assert (await decide(address, timeout=0.05)).code == "policy_engine"
    assert (await decide("http://127.0.0.1:1/v1/data/x")).code == "policy_engine"
