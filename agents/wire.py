"""Frames between a worker and its agent processes: four bytes of length, then JSON. No Django."""

import dataclasses
import socket
import struct
from typing import Any

import orjson

from agents.types import Awaits, Completed, Failed, NeedsApproval, Outcome, Usage

LENGTH = struct.Struct(">I")
FRAME_LIMIT = 64 * 1024 * 1024

_OUTCOMES: dict[str, type[Completed | NeedsApproval | Failed | Awaits]] = {
    kind.__name__: kind for kind in (Completed, NeedsApproval, Failed, Awaits)
}


def pack(frame: dict[str, Any]) -> bytes:
    """One frame as it travels."""
    body = orjson.dumps(frame)
    return LENGTH.pack(len(body)) + body


def send(channel: socket.socket, frame: dict[str, Any]) -> None:
    """Send one frame, blocking."""
    channel.sendall(pack(frame))


def receive(channel: socket.socket) -> dict[str, Any] | None:
    """The next frame, blocking; None when the other side has gone."""
    head = _exactly(channel, LENGTH.size)
    body = _exactly(channel, LENGTH.unpack(head)[0]) if head else None
    return orjson.loads(body) if body else None


def pack_outcome(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON, with its type."""
    return {"type": type(outcome).__name__, "fields": dataclasses.asdict(outcome)}


def unpack_outcome(frame: dict[str, Any]) -> Outcome:
    """The inverse of `pack_outcome`."""
    fields = dict(frame["fields"])
    if fields.get("usage") is not None:
        fields["usage"] = Usage(**fields["usage"])
    if "changes" in fields:
        fields["changes"] = tuple(fields["changes"])
    return _OUTCOMES[frame["type"]](**fields)


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    chunks: list[bytes] = []
    while size:
        chunk = channel.recv(min(size, 1 << 20))
        if not chunk:
            return None
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
