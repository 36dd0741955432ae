"""NATS JetStream: one stream on disk, one durable pull consumer. Words of a channel are the tokens of a subject."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

from agents.messaging.bridges.base import GROUP, SECONDS, Incoming, Parcel, Place, library
from agents.messaging.errors import BridgeDown

STREAM: Final = "WATCHKEEPER"
SUBJECTS: Final = ("agents.*.in", "topics.>")
REPEATED_WITHIN: Final = 120.0  # seconds: the server itself passes over the same message id


class NatsBridge:
    """Order: the stream's own."""

    alone = False

    def __init__(self, place: Place) -> None:
        self.place = place
        self._client: Any = None
        self._stream: Any = None
        self._pull: Any = None

    async def connect(self) -> None:
        """Make the stream and the consumer if they are not there."""
        await self.close()
        nats = library("nats", self.place, "nats")
        try:
            self._client = await self._connected()
            self._stream = self._client.jetstream(timeout=SECONDS)
            await self._make_stream()
            self._pull = await self._stream.pull_subscribe("", durable=GROUP, stream=STREAM)
        except (nats.errors.Error, OSError, TimeoutError) as problem:
            await self.close()
            raise self._down(problem) from problem

    async def _connected(self) -> Any:
        client = library("nats.aio.client", self.place, "nats").Client()
        place, context = self.place, self.place.context()
        how: dict[str, Any] = {"user": place.user, "password": place.password} if place.user else {}
        if context is not None:
            how["tls"] = context
            _refuse_plain(client, library("nats.errors", place, "nats").Error)
        try:
            await client.connect(
                f"nats://{place.host}:{place.port}",
                connect_timeout=SECONDS,
                allow_reconnect=False,
                max_reconnect_attempts=1,  # else the first connection, too, is tried for minutes
                reconnect_time_wait=0.1,
                error_cb=_ignore,
                **how,
            )
        except BaseException:
            _drop(client)
            raise
        return client

    async def _make_stream(self) -> None:
        errors, api = library("nats.js.errors", self.place, "nats"), library("nats.js.api", self.place, "nats")
        kept = api.StreamConfig(name=STREAM, subjects=list(SUBJECTS), storage="file", duplicate_window=REPEATED_WITHIN)
        try:
            await self._stream.add_stream(kept)
        except errors.BadRequestError:  # it is there, as somebody else wants it
            await self._stream.stream_info(STREAM)

    async def close(self) -> None:
        """Leave; the consumer stays where it is."""
        client, self._client = self._client, None
        if client is not None:
            try:
                await client.close()
            except Exception:  # noqa: BLE001 - the connection is gone already
                return
            finally:
                _drop(client)

    async def publish(self, parcel: Parcel) -> None:
        """Until JetStream's acknowledgement."""
        headers = {**parcel.headers, **({"Nats-Msg-Id": parcel.headers["ce-id"]} if "ce-id" in parcel.headers else {})}
        subject = parcel.channel.replace("/", ".")
        await self._do(self._stream, "publish", subject, parcel.body, headers=headers or None, timeout=SECONDS)

    async def incoming(self) -> AsyncIterator[Incoming]:
        """In the stream's order."""
        nats = library("nats", self.place, "nats")
        while True:
            try:
                batch = await self._do(self._pull, "fetch", 100, timeout=1.0, waits=True)
            except nats.errors.TimeoutError:
                continue
            for message in batch:
                parcel = Parcel(message.subject.replace(".", "/"), message.data, dict(message.headers or {}))
                yield Incoming(parcel, partial(self._do, message, "ack"))

    async def check(self) -> None:
        """PING and PONG."""
        await self._do(self._client, "flush", timeout=SECONDS)

    async def _do(self, on: Any, verb: str, *arguments: Any, waits: bool = False, **named: Any) -> Any:
        nats = library("nats", self.place, "nats")
        if self._client is None or self._client.is_closed or on is None:
            raise BridgeDown(bridge=self.place.name, problem="it is not connected")
        try:
            return await getattr(on, verb)(*arguments, **named)
        except nats.errors.TimeoutError as problem:
            if waits and not self._client.is_closed:
                raise
            raise self._down(problem) from problem
        except (nats.errors.Error, OSError, TimeoutError) as problem:
            raise self._down(problem) from problem

    def _down(self, problem: BaseException) -> BridgeDown:
        return BridgeDown(bridge=self.place.name, problem=str(problem)[:200] or type(problem).__name__)


def _drop(client: Any) -> None:
    """The library leaves open the socket of a connection that it gave up, or could not say farewell on."""
    if client._transport is not None:
        client._transport.close()


def _refuse_plain(client: Any, error: type[Exception]) -> None:
    """Say nothing of ours to a server that offers no TLS: the library would send the password readable then."""
    command = client._connect_command

    def encrypted_only() -> Any:
        if not client._server_info.get("tls_required"):
            raise error("the server offers no TLS")
        return command()

    client._connect_command = encrypted_only


async def _ignore(_problem: Exception) -> None:
    """What goes wrong is raised where it was asked for; the library would print it besides."""
