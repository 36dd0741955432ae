"""Others' systems, as far as we speak to them: what takes OTLP and lines over HTTP, and what hears syslog."""

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Receiver:
    """An HTTP server on loopback that keeps what it was sent. `answer`: the status that it gives, for each body."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.largest: int | None = None  # bytes; what is larger is answered with 413
        self.refused = 0  # for that
        self.body = b""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = 413 if receiver.largest is not None and len(body) > receiver.largest else receiver.status
                receiver.refused += status == 413
                if status == 200:
                    receiver.requests.append((self.path, dict(self.headers.items()), body))
                self.send_response(status)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def bodies(self) -> list[bytes]:
        found = []
        for _path, headers, body in self.requests:
            told = {name.lower(): value.lower() for name, value in headers.items()}
            found.append(gzip.decompress(body) if told.get("content-encoding") == "gzip" else body)
        return found

    @property
    def text(self) -> str:
        return b"".join(self.bodies).decode("utf-8", "replace")

    def spans(self) -> list[dict[str, Any]]:
        """Every span that came, as plain values."""
        found = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {one.key: one.value.string_value for one in resource.resource.attributes}
                for scope in resource.scope_spans:
                    found += [_plain(span, service) for span in scope.spans]
        return found


def _plain(span: Any, service: dict[str, str]) -> dict[str, Any]:
    values = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
    return {
        "trace": span.trace_id.hex(), "id": span.span_id.hex(), "parent": span.parent_span_id.hex(), "name": span.name,
        "kind": span.kind, "began": span.start_time_unix_nano, "ended": span.end_time_unix_nano, "facts": values,
        "failed": span.status.code == 2, "links": [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        "service": service.get("service.name"),
    }  # fmt: skip


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that answers while the block lasts."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join(5)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def syslog_server() -> Iterator[tuple[int, list[bytes]]]:
    """A syslog server over TCP: its port, and the messages that came, cut by their own lengths (RFC 6587)."""
    messages: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    channel, _ = server.accept()
                except OSError:
                    return
                with channel:
                    data = b"".join(iter(lambda: channel.recv(65536), b""))  # noqa: B023
                while data:
                    length, _, rest = data.partition(b" ")
                    messages.append(rest[: int(length)])
                    data = rest[int(length) :]

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1]), messages
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def listens(port: int) -> bool:
    """Whether something does there."""
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0
