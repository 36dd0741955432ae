"""A remote agent on this machine: a real HTTP server that checks signatures and does as its input's `do` says."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
ACTION = {"pay": 5}


@dataclass
class RemoteAgent:
    """What it heard, and where it is."""

    port: int
    heard: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


def completed(asked: dict[str, Any]) -> dict[str, Any]:
    return {"output": {"said": asked["input"]["do"], "key": asked["key"]}, "usage": {"tokens_in": 2}}


def answer_for(asked: dict[str, Any]) -> dict[str, Any]:
    """The body of a 200 for what `do` names."""
    do = asked["input"]["do"]
    if do == "breach":
        return {"output": {"said": 5}}
    if do == "ask" and not [one for one in asked["approvals"] if one["action"] == ACTION]:
        return {"question": {"action": ACTION, "reason": "it is money", "proposal": {"pay": 5}}}
    if do in {"transient", "permanent", "business"} and not (do == "transient" and asked["attempt"] > 1):
        return {"failure": {"kind": do, "code": "told", "message": f"it is {do}", "retry_after": 0.01}}
    return completed(asked)


class Handler(BaseHTTPRequestHandler):
    """One request, from whoever holds the secret."""

    protocol_version = "HTTP/1.1"
    agent: RemoteAgent

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            asked = Webhook(SECRET).verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.say(401, b"{}")
            return
        self.agent.heard.append(asked)
        self.agent.headers.append({name.lower(): value for name, value in self.headers.items()})
        special: Callable[[], None] | None = getattr(self, "do_" + asked["input"]["do"], None)
        if special:
            special()
        else:
            self.say(200, json.dumps(answer_for(asked)).encode())

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_slow(self) -> None:
        self.agent.release.wait(20)
        self.close_connection = True

    def do_redirect(self) -> None:
        self.say(307, b"", Location=f"http://{self.agent.host}/elsewhere")

    def do_garbage(self) -> None:
        self.say(200, b"<html>\xff\x00 not JSON")

    def do_busy(self) -> None:
        self.say(503, b"", Retry_After="7")

    def do_refuse(self) -> None:
        self.say(422, b"{}")

    def do_huge(self) -> None:
        self.say(200, b'{"output": {"said": "' + b"x" * 2_100_000 + b'"}}')

    def do_packed(self) -> None:
        self.say(200, b"\x1f\x8b\x08", Content_Encoding="gzip")

    def do_later(self) -> None:
        self.say(202, b"")

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def remote_agent() -> Iterator[RemoteAgent]:
    """A running server."""
    handler = type("Bound", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    agent = handler.agent = RemoteAgent(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield agent
    finally:
        agent.release.set()
        server.shutdown()
        thread.join()
        server.server_close()
