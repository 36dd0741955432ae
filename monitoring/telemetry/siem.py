"""Events on their way to a SIEM: by HTTP, a line each, or by syslog (RFC 5424). At least once, in order."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from monitoring.telemetry import cef
from monitoring.telemetry.sending import SECONDS, Sender, Undelivered
from monitoring.telemetry.taxonomy import Entry

PORTS: Final = {"syslog+udp": 514, "syslog+tcp": 601, "syslog+tls": 6514}
_FACILITY: Final = 13  # log audit
_TYPES: Final = {"json": "application/x-ndjson", "cef": "text/plain; charset=utf-8"}


def lines(entries: Sequence[Entry], form: str) -> list[str]:
    """The entries, a line each."""
    return [cef.line(entry) if form == "cef" else cef.json_line(entry) for entry in entries]


def send(entries: Sequence[Entry]) -> None:
    """Deliver them all. Raises Undelivered and Refused; what was taken before is then sent a second time."""
    form = settings.SIEM_FORMAT
    texts = lines(entries, form)
    if settings.SIEM_URL.startswith("http"):
        headers = {"Authorization": settings.SIEM_AUTHORIZATION} if settings.SIEM_AUTHORIZATION else {}
        sender = Sender(settings.SIEM_URL, headers)
        sender.post("".join(f"{text}\n" for text in texts).encode(), {"Content-Type": _TYPES[form]})
        return
    _by_syslog([_syslog(entry, text) for entry, text in zip(entries, texts, strict=True)])


def place() -> str:
    """Scheme, host and port of where they go: what may be shown."""
    url = urlsplit(settings.SIEM_URL)
    port = url.port or PORTS.get(url.scheme)
    return f"{url.scheme}://{url.hostname}{f':{port}' if port else ''}"


def _syslog(entry: Entry, text: str) -> bytes:
    """One message: facility 13, the severity of it, when it happened, its place as the message's id."""
    severity = 2 if entry.severity >= 8 else 4 if entry.severity >= 6 else 5 if entry.severity >= 4 else 6
    at = entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f"<{_FACILITY * 8 + severity}>1 {at} {socket.gethostname()[:255] or '-'} watchkeeper - {entry.pos} -"
    return f"{head} {text}".encode()


def _by_syslog(messages: Sequence[bytes]) -> None:
    url = urlsplit(settings.SIEM_URL)
    where = (url.hostname or "", url.port or PORTS[url.scheme])
    server = url.hostname if url.scheme == "syslog+tls" else None
    try:
        if url.scheme == "syslog+udp":
            with _datagrams(where) as channel:
                for message in messages:
                    channel.send(message)
            return
        with (
            socket.create_connection(where, timeout=SECONDS) as plain,
            _sealed(plain, server) as channel,
        ):
            # RFC 6587: each message with its length before it, so that none can pretend to be two.
            channel.sendall(b"".join(b"%d %s" % (len(message), message) for message in messages))
            channel.shutdown(socket.SHUT_WR)
            channel.settimeout(SECONDS)
            _await_close(channel)
    except OSError as error:
        raise Undelivered(f"{where[0]}:{where[1]} cannot be reached ({type(error).__name__})") from error


def _await_close(channel: socket.socket) -> None:
    """Syslog has no answer. That the other side hangs up in good order is the nearest thing to one."""
    try:
        while channel.recv(4096):
            continue
    except TimeoutError:
        return  # it keeps the line open: the system below has taken it all the same


@contextmanager
def _datagrams(where: tuple[str, int]) -> Iterator[socket.socket]:
    family, kind, protocol, _name, address = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as channel:
        channel.connect(address)
        yield channel


@contextmanager
def _sealed(plain: socket.socket, server: str | None) -> Iterator[socket.socket]:
    """The line under TLS to the server of this name; without a name as it is."""
    if server is None:
        yield plain
        return
    with ssl.create_default_context().wrap_socket(plain, server_hostname=server) as channel:
        yield channel
