"""What every bridge does, and what it is told. No Django."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, Protocol

from agents.messaging.errors import BridgeDown

SECONDS: Final = 5.0  # so long a broker may take for one thing
GROUP: Final = "watchkeeper"  # name of our durable subscription: a broker keeps for it what comes while we are away


@dataclass(frozen=True, slots=True)
class Place:
    """Where a broker is. Only `name` is ever shown: it has no password."""

    kind: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca: str = ""  # file with the authorities to trust in place of the system's
    cert: str = ""  # files with our own certificate and its key, where the broker asks for one
    key: str = ""
    mechanism: str = "PLAIN"  # of SASL, for Kafka
    servers: tuple[str, ...] = ()  # further brokers to ask first, for Kafka: host:port

    def context(self) -> ssl.SSLContext | None:
        """How to speak TLS: certificate and host name are checked. None without. Raises BridgeDown for files."""
        if not self.tls:
            return None
        try:
            made = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                made.load_cert_chain(self.cert, self.key or None)
        except OSError as problem:  # ssl.SSLError is one
            words = f"its certificate files cannot be used ({problem.strerror or type(problem).__name__})"
            raise BridgeDown(bridge=self.name, problem=words) from problem
        return made

    @property
    def name(self) -> str:
        """As pages and events name it."""
        return f"{self.kind}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Parcel:
    """Bytes on their way. `channel` is `agents/<name>/in` or `topics/<words with slashes>`; parcels with the same `key`
    keep their order where the broker can promise that.
    """

    channel: str
    body: bytes
    headers: Mapping[str, str]
    key: str = ""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A parcel that came. Until `settle` is awaited the broker keeps it and hands it out again."""

    parcel: Parcel
    settle: Callable[[], Awaitable[None]]


class Bridge(Protocol):
    """One connection to one broker, on one event loop. Everything raises BridgeDown when the broker is not there.

    `alone`: the broker knows one reader of ours only, so that of several relays one at a time keeps this bridge.
    """

    place: Place
    alone: bool

    async def connect(self) -> None:
        """Connect, and make what the broker needs: streams, groups, subscriptions. Again after it was down."""
        ...

    async def close(self) -> None:
        """Leave. Raises nothing."""
        ...

    async def publish(self, parcel: Parcel) -> None:
        """Return once the broker has the parcel for good (by its own promise)."""
        ...

    def incoming(self) -> AsyncIterator[Incoming]:
        """What comes for `agents/+/in` and `topics/#`, for ever; what was not settled before comes first."""
        ...

    async def check(self) -> None:
        """Return if the broker answers."""
        ...


def library(name: str, place: Place, extra: str) -> Any:
    """A client library, imported now. Raises BridgeDown naming the extra that brings it."""
    try:
        return import_module(name)
    except ImportError as missing:
        raise BridgeDown(
            bridge=place.name, problem=f"the library {name} is missing: uv sync --extra {extra}"
        ) from missing
