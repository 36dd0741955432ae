"""Kafka: one topic, keyed by thread so that a thread keeps its order, read by one consumer group.

Offsets are committed only for what is stored. Acknowledged by all in-sync replicas. The producer is not an idempotent
one: aiokafka's never gives a record up that it cannot deliver, and a repeat is known by the message's id anyway.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any, Final

from agents.messaging.bridges.base import GROUP, SECONDS, Incoming, Parcel, Place, library
from agents.messaging.errors import BridgeDown

TOPIC: Final = "watchkeeper.messages"
CHANNEL: Final = "wk-channel"  # the header that says where a parcel belongs


class KafkaBridge:
    """Order: per key."""

    alone = False

    def __init__(self, place: Place) -> None:
        self.place = place
        self._producer: Any = None
        self._consumer: Any = None

    async def connect(self) -> None:
        """Join the group; the broker makes the topic, or an operator did."""
        await self.close()
        aiokafka = library("aiokafka", self.place, "kafka")
        common = self._settings()
        producer = aiokafka.AIOKafkaProducer(**common, acks="all", request_timeout_ms=int(SECONDS * 1000))
        consumer = aiokafka.AIOKafkaConsumer(
            TOPIC, **common, group_id=GROUP, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._producer, self._consumer = producer, consumer
        try:
            await producer.start()
            await consumer.start()
        except (aiokafka.errors.KafkaError, OSError) as problem:
            await self.close()
            raise self._down(problem) from problem

    def _settings(self) -> dict[str, Any]:
        """Where the brokers are, and how to speak to them and who we are."""
        place, context = self.place, self.place.context()
        transport = "SSL" if context else "PLAINTEXT"
        found: dict[str, Any] = {
            "bootstrap_servers": [f"{place.host}:{place.port}", *place.servers],
            "security_protocol": f"SASL_{transport}" if place.user else transport,
            "ssl_context": context,
        }
        if not place.user:
            return found
        who = {"sasl_plain_username": place.user, "sasl_plain_password": place.password}
        return {**found, "sasl_mechanism": place.mechanism, **who}

    async def close(self) -> None:
        """Leave the group."""
        consumer, producer = self._consumer, self._producer
        self._producer = self._consumer = None
        if consumer is not None:
            await _let_end(consumer.stop())
            await _let_end(consumer._client.close())  # which stop() leaves open when a fetch was under way
        if producer is not None:
            await _let_end(producer.stop())

    async def publish(self, parcel: Parcel) -> None:
        """Until every in-sync replica has it."""
        headers = [
            (CHANNEL, parcel.channel.encode()),
            *((name, text.encode()) for name, text in parcel.headers.items()),
        ]
        aiokafka = library("aiokafka", self.place, "kafka")
        if self._producer is None:
            raise BridgeDown(bridge=self.place.name, problem="it is not connected")
        try:
            await self._producer.send_and_wait(TOPIC, parcel.body, key=parcel.key.encode() or None, headers=headers)
        except (aiokafka.errors.KafkaError, OSError, TimeoutError) as problem:
            raise self._down(problem) from problem

    async def incoming(self) -> AsyncIterator[Incoming]:
        """In the order of each partition."""
        aiokafka = library("aiokafka", self.place, "kafka")
        consumer = self._consumer
        if consumer is None:
            raise BridgeDown(bridge=self.place.name, problem="it is not connected")
        try:
            async for record in consumer:
                told = {name: value.decode(errors="replace") for name, value in record.headers}
                parcel = Parcel(told.pop(CHANNEL, ""), record.value or b"", told)
                place = aiokafka.TopicPartition(record.topic, record.partition)

                async def settle(place: Any = place, following: int = record.offset + 1) -> None:
                    await consumer.commit({place: following})

                yield Incoming(parcel, settle)
        except (aiokafka.errors.KafkaError, OSError) as problem:
            raise self._down(problem) from problem

    async def check(self) -> None:
        """Ask the broker which topics there are: what the client knows of them it would still say of a dead one."""
        aiokafka = library("aiokafka", self.place, "kafka")
        if self._producer is None:
            raise BridgeDown(bridge=self.place.name, problem="it is not connected")
        try:
            await self._producer.client.fetch_all_metadata()
        except (aiokafka.errors.KafkaError, OSError) as problem:
            raise self._down(problem) from problem

    def _down(self, problem: BaseException) -> BridgeDown:
        return BridgeDown(bridge=self.place.name, problem=str(problem)[:200].rstrip(".") or type(problem).__name__)


async def _let_end(ending: Coroutine[Any, Any, None]) -> None:
    """Await it in a task of its own for a while: what aiokafka raises then, even CancelledError, is not ours."""
    task = asyncio.create_task(ending)
    await asyncio.wait({task}, timeout=SECONDS)
    if task.done():
        with suppress(BaseException):
            task.result()
    task.cancel()
