"""Redis Streams: one stream, one consumer group with one name. What a relay took and did not settle, the next one that
connects reads again; two that run at once may both read it then, and it is known by its id.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from agents.messaging.bridges.base import GROUP, SECONDS, Incoming, Parcel, Place, library
from agents.messaging.errors import BridgeDown

STREAM: Final = "watchkeeper:messages"
MOST: Final = 1_000_000  # entries that the stream keeps, about
_WAIT_MS: Final = 1000


class RedisBridge:
    """Order: the stream's own. Durability: what the server's `appendonly` promises."""

    alone = False

    def __init__(self, place: Place) -> None:
        self.place = place
        self._client: Any = None

    async def connect(self) -> None:
        """Make the stream and its group if they are not there."""
        await self.close()
        redis = library("redis.asyncio", self.place, "redis")
        client = redis.Redis(
            host=self.place.host,
            port=self.place.port,
            username=self.place.user or None,
            password=self.place.password or None,
            **self._encryption(),
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            retry=library("redis.asyncio.retry", self.place, "redis").Retry(
                library("redis.backoff", self.place, "redis").NoBackoff(), 0
            ),  # the relay has another bridge, and comes back to this one
        )
        try:
            await client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except redis.ResponseError as problem:
            if "BUSYGROUP" not in str(problem):
                await client.aclose()
                raise self._down(problem) from problem
        except (redis.RedisError, OSError) as problem:
            await client.aclose()
            raise self._down(problem) from problem
        self._client = client

    def _encryption(self) -> dict[str, Any]:
        place = self.place
        if place.context() is None:  # which also says whether its files can be used
            return {}
        ours = {"ssl_certfile": place.cert, "ssl_keyfile": place.key or None} if place.cert else {}
        return {"ssl": True, "ssl_ca_certs": place.ca or None, **ours}

    async def close(self) -> None:
        """Leave."""
        client, self._client = self._client, None
        if client is not None:
            try:
                await client.aclose()
            except Exception:  # noqa: BLE001 - the connection is gone already
                return

    async def publish(self, parcel: Parcel) -> None:
        """XADD."""
        fields = {"channel": parcel.channel, "body": parcel.body, "headers": orjson.dumps(dict(parcel.headers))}
        await self._do("xadd", STREAM, fields, maxlen=MOST, approximate=True)

    async def incoming(self) -> AsyncIterator[Incoming]:
        """First what was left unsettled, then what is new."""
        last = b"0"
        while last:
            found = await self._do("xreadgroup", GROUP, GROUP, {STREAM: last}, count=100)
            entries = found[0][1] if found else []
            for number, fields in entries:
                yield self._incoming(number, fields)
            last = entries[-1][0] if entries else b""
        while True:
            found = await self._do("xreadgroup", GROUP, GROUP, {STREAM: ">"}, count=100, block=_WAIT_MS)
            for number, fields in found[0][1] if found else []:
                yield self._incoming(number, fields)

    def _incoming(self, number: bytes, fields: dict[bytes, bytes]) -> Incoming:
        try:
            headers = orjson.loads(fields.get(b"headers") or b"{}")
        except orjson.JSONDecodeError:
            headers = {}
        told = {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
        parcel = Parcel(fields.get(b"channel", b"").decode(errors="replace"), fields.get(b"body", b""), told)

        async def settle() -> None:
            await self._do("xack", STREAM, GROUP, number)

        return Incoming(parcel, settle)

    async def check(self) -> None:
        """PING."""
        await self._do("ping")

    async def _do(self, verb: str, *arguments: Any, **named: Any) -> Any:
        redis = library("redis.asyncio", self.place, "redis")
        if self._client is None:
            raise BridgeDown(bridge=self.place.name, problem="it is not connected")
        try:
            return await getattr(self._client, verb)(*arguments, **named)
        except (redis.RedisError, OSError) as problem:
            raise self._down(problem) from problem

    def _down(self, problem: BaseException) -> BridgeDown:
        return BridgeDown(bridge=self.place.name, problem=str(problem)[:200] or type(problem).__name__)
