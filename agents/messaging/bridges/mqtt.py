"""MQTT 3.1.1 with quality of service 1: a session that the broker keeps, and receipts only for what we have stored.

MQTT 3.1.1 has no headers: the body must say by itself what it is (a structured CloudEvent).
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from agents.messaging.bridges.base import GROUP, SECONDS, Incoming, Parcel, Place, library
from agents.messaging.errors import BridgeDown


class MqttBridge:
    """Channels are MQTT topics as they are."""

    alone = True  # a second client under our session's name would put the first one out, and so on for ever

    def __init__(self, place: Place) -> None:
        self.place = place
        self._client: Any = None

    async def connect(self) -> None:
        """Take up the broker's session for us again, or begin it."""
        await self.close()
        aiomqtt = library("aiomqtt", self.place, "mqtt")
        client = aiomqtt.Client(
            self.place.host,
            self.place.port,
            username=self.place.user or None,
            password=self.place.password or None,
            identifier=GROUP,
            clean_session=False,
            timeout=SECONDS,
            keepalive=10,
            tls_context=self.place.context(),
        )
        client._client.manual_ack_set(True)  # aiomqtt would acknowledge what it has only put into its own memory
        try:
            await client.__aenter__()
            await client.subscribe([("agents/+/in", 1), ("topics/#", 1)])
        except (aiomqtt.MqttError, OSError) as problem:
            raise self._down(problem) from problem
        self._client = client

    async def close(self) -> None:
        """Leave; the broker goes on collecting."""
        client, self._client = self._client, None
        if client is not None:
            try:
                await client.__aexit__(None, None, None)
            except Exception:  # noqa: BLE001 - the connection is gone already
                return

    async def publish(self, parcel: Parcel) -> None:
        """Until the broker's PUBACK."""
        try:
            await self._ours().publish(parcel.channel, parcel.body, qos=1, timeout=SECONDS)
        except (library("aiomqtt", self.place, "mqtt").MqttError, OSError) as problem:
            raise self._down(problem) from problem

    async def incoming(self) -> AsyncIterator[Incoming]:
        """Parcels in the broker's order."""
        client = self._ours()
        try:
            async for message in client.messages:
                parcel = Parcel(str(message.topic), bytes(message.payload or b""), {})

                async def settle(mid: int = message.mid, qos: int = message.qos) -> None:
                    client._client.ack(mid, qos)

                yield Incoming(parcel, settle)
        except (library("aiomqtt", self.place, "mqtt").MqttError, OSError) as problem:
            raise self._down(problem) from problem

    async def check(self) -> None:
        """The keep-alive of the connection says whether the broker is there."""
        if self._ours()._disconnected.done():
            raise BridgeDown(bridge=self.place.name, problem="the connection was lost")
        await asyncio.sleep(0)

    def _ours(self) -> Any:
        if self._client is None:
            raise BridgeDown(bridge=self.place.name, problem="it is not connected")
        return self._client

    def _down(self, problem: BaseException) -> BridgeDown:
        return BridgeDown(bridge=self.place.name, problem=str(problem)[:200] or type(problem).__name__)
