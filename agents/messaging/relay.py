"""The process between the database and others' buses. The database is the primary path: messages between our own
agents never depend on a bus, and what is to go out waits in the outbox until a bus has it.

Out: at least once, by the first bridge in their order that works. In: from every bridge; a message that came before,
by whichever, is known by its id. Any number of relays may run at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final
from uuid import uuid4

import structlog
from django.db import DatabaseError, close_old_connections, connections

from agents.messaging import outbox
from agents.messaging.bridges.base import Bridge, Place
from agents.messaging.errors import BridgeDown

log = structlog.get_logger(__name__)
POLL_SECONDS: Final = 0.1
RETRY_SECONDS: Final = 1.0  # until a bridge that was down is tried again
CHECK_SECONDS: Final = 2.0


class Relay:
    """Runs on one event loop until told to stop."""

    def __init__(self, bridges: Sequence[Bridge]) -> None:
        self._bridges = list(bridges)
        self._name = str(uuid4())
        self._up: set[str] = set()
        self._database = ThreadPoolExecutor(1, "relay-database")  # one connection, closed at the end

    async def run(self, stop: asyncio.Event) -> None:
        """Carry messages both ways until `stop` is set."""
        await self._in_thread(outbox.forget_others, [bridge.place.name for bridge in self._bridges])
        work = [asyncio.create_task(self._tend(rank, bridge)) for rank, bridge in enumerate(self._bridges)]
        work.append(asyncio.create_task(self._outward()))
        ended: asyncio.Task[Any] = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([*work, ended], return_when=asyncio.FIRST_COMPLETED)
            for task in work:
                if task.done():
                    task.result()  # none of them ends by itself: what ended one is raised
        finally:
            for task in (*work, ended):
                task.cancel()
            await asyncio.gather(*work, ended, return_exceptions=True)
            for bridge in self._bridges:
                await bridge.close()
            with suppress(DatabaseError):
                await self._in_thread(outbox.let_go, self._name)
            await self._in_thread(connections.close_all)
            self._database.shutdown()

    # One bridge

    async def _tend(self, rank: int, bridge: Bridge) -> None:
        """Keep one bridge connected, take in what comes, and write down how it is."""
        while True:
            try:
                await self._alone(rank, bridge)
                async with asyncio.timeout(10):
                    await bridge.connect()
                await self._in_thread(outbox.note_health, bridge.place, rank=rank, problem=None)
                self._up.add(bridge.place.name)
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._inward(bridge))
                    both.create_task(self._check(rank, bridge))
            # Clients of brokers raise what they like: whatever one does takes its own bridge down, never the others.
            except* Exception as problems:  # noqa: BLE001
                self._up.discard(bridge.place.name)
                await self._went_down(rank, bridge, problems.exceptions[0])
            await bridge.close()
            await asyncio.sleep(RETRY_SECONDS)

    async def _alone(self, rank: int, bridge: Bridge) -> None:
        """Wait until no other relay keeps a bridge that only one may keep."""
        while bridge.alone and not await self._in_thread(outbox.hold, bridge.place, rank=rank, relay=self._name):
            await asyncio.sleep(RETRY_SECONDS)

    async def _went_down(self, rank: int, bridge: Bridge, problem: BaseException) -> None:
        words = _words(problem)
        foreseen = isinstance(problem, BridgeDown | TimeoutError | DatabaseError)
        log.warning("bridge_down", bridge=bridge.place.name, problem=words, exc_info=None if foreseen else problem)
        with suppress(DatabaseError):
            await self._in_thread(outbox.note_health, bridge.place, rank=rank, problem=words)

    async def _inward(self, bridge: Bridge) -> None:
        async for incoming in bridge.incoming():
            await self._in_thread(outbox.take_in, incoming.parcel, bridge.place)
            await incoming.settle()
        raise BridgeDown(bridge=bridge.place.name, problem="its subscription ended")

    async def _check(self, rank: int, bridge: Bridge) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if bridge.alone and not await self._in_thread(outbox.hold, bridge.place, rank=rank, relay=self._name):
                raise BridgeDown(bridge=bridge.place.name, problem="another relay has taken it over")
            async with asyncio.timeout(10):
                await bridge.check()
            self._up.add(bridge.place.name)  # what it would not take before it may take now
            await self._in_thread(outbox.note_health, bridge.place, rank=rank, problem=None)

    # Out

    async def _outward(self) -> None:
        while True:
            try:
                if not await self._send_batch():
                    await asyncio.sleep(POLL_SECONDS)
            except DatabaseError as problem:
                log.warning("relay_waits", problem=type(problem).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _send_batch(self) -> bool:
        """Send what is due; False when there is nothing to do now."""
        if not self._up:
            return False  # it stays due: nobody has begun to send it
        batch = await self._in_thread(outbox.due)
        for place, outgoing in enumerate(batch):
            sent_by = await self._send(outgoing)
            if sent_by is None:
                rest = [later.row for later in batch[place:]]
                await self._in_thread(outbox.put_off, rest, "No bridge takes messages now.", seconds=RETRY_SECONDS)
                return False
            await self._in_thread(outbox.gone, outgoing.row, sent_by)
            await self._in_thread(outbox.note_active, sent_by)
        return bool(batch)

    async def _send(self, outgoing: outbox.Outgoing) -> Place | None:
        """Publish by the first bridge that takes it; None if none does."""
        for bridge in self._bridges:
            if bridge.place.name not in self._up:
                continue
            try:
                async with asyncio.timeout(10):
                    for parcel in outgoing.parcels:
                        await bridge.publish(parcel)
            except Exception as problem:  # noqa: BLE001 - as above: another bridge may take it
                log.warning("bridge_refused", bridge=bridge.place.name, problem=_words(problem))
                self._up.discard(bridge.place.name)  # its own task finds out, and connects again
                continue
            return bridge.place
        return None

    async def _in_thread[T](self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        call = partial(_fresh, function, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._database, call)


def _fresh[T](function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    close_old_connections()
    return function(*arguments, **named)


def _words(problem: BaseException) -> str:
    if isinstance(problem, BaseExceptionGroup):
        return _words(problem.exceptions[0])
    return str(problem)[:500] or type(problem).__name__
