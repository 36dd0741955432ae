"""The one live subscription of a web process: sealed events in, at most four small frames a second out to each socket.

State, not messages: an event only marks topics as changed; nothing is queued. A slow browser gets the newest state, and
a lost doorbell is repaired by looking at the ledger's head every two seconds. While nobody seals, events are told from
the log itself: what a page asks for comes from the tables, and those are as new as ever.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

import orjson
import psycopg
import structlog
from channels.db import database_sync_to_async
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from monitoring import admission, topics
from monitoring.admission import Ticket
from orchestrator import db, ledger
from orchestrator.ledger import SealedEvent

POLL_SECONDS: Final = 2.0
CHECK_SECONDS: Final = 3.0  # sessions and the rights epoch: a closed session is gone in less than five
RECHECK_SECONDS: Final = 30.0  # all rights, whether or not anything said that they changed
READ_PAUSE: Final = 0.02  # the sequencer rings up to 200 times a second; one read serves several rings
FRAME_PAUSE: Final = 0.27  # four a second at most, also where the wire brings one late and the next in time
READ_LIMIT: Final = 5_000
FAR_BEHIND: Final = 50_000  # events: then everything has changed anyway
REMEMBERED: Final = 50_000  # topics
LOOK_BACK: Final = 20_000  # events, at the start: who comes back after a restart fetches what changed, not everything

log = structlog.get_logger()

type Send = Callable[[str], Awaitable[None]]
type Close = Callable[[int], Awaitable[None]]


@dataclass(eq=False, slots=True)
class Listener:
    """One socket's place in the hub. `send` and `close` are the consumer's."""

    ticket: Ticket
    send: Send
    close: Close
    topics: set[str] = field(default_factory=set)
    dirty: set[str] = field(default_factory=set)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def mark(self, changed: Iterable[str]) -> None:
        """Note what to tell; the newest state wins, so a set is all that is kept."""
        self.dirty.update(changed)
        if self.dirty:
            self.wake.set()


class Hub:
    """Fan-out of one web process. Every method runs on the event loop it was made on."""

    def __init__(self) -> None:
        self.pos = 0
        self.fresh_at = time.monotonic()  # when the ledger was last read with success
        self._since = 0  # changes up to here were not seen by this process
        self._changed: dict[str, int] = {}
        self._listeners: set[Listener] = set()
        self._by_topic: dict[str, set[Listener]] = defaultdict(set)
        self.rights_seen = 0  # grows with every hint that rights changed
        self._epoch = -1
        self._suspects: set[int] = set()
        self._unsealed = 0  # the last event that was told before it was sealed
        self._look_at = 0.0  # when to look for such events
        self._tasks: list[asyncio.Task[None]] = []
        self._ready = asyncio.Event()

    async def start(self) -> None:
        """Begin to read, once; returns when the hub knows where the ledger ends."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._read_for_ever()), asyncio.create_task(self._check_for_ever())]
        await self._ready.wait()

    async def stop(self) -> None:
        """Stop reading. Sockets are closed by the server."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def count(self, user_id: int) -> int:
        """How many sockets a user has open here."""
        return sum(listener.ticket.user_id == user_id for listener in self._listeners)

    def add(self, listener: Listener) -> None:
        """Take a socket in; it hears nothing until it joins topics."""
        self._listeners.add(listener)

    def remove(self, listener: Listener) -> None:
        """Forget a socket."""
        self._listeners.discard(listener)
        self.leave(listener, set(listener.topics))

    def join(self, listener: Listener, granted: Iterable[str], *, since: int | None) -> set[str]:
        """Subscribe to topics whose rights were checked; return those that changed after `since`.

        A browser that does not know what it has, or has something older than this process remembers, gets them all.
        """
        fresh = set(granted)
        for topic in fresh:
            self._by_topic[topic].add(listener)
        listener.topics |= fresh
        if since is None:
            return set()
        if since < max(self._since, 1):
            return fresh
        return {topic for topic in fresh if self._changed.get(topic, 0) > since}

    def leave(self, listener: Listener, left: Iterable[str]) -> None:
        """Unsubscribe."""
        for topic in left:
            listener.topics.discard(topic)
            listener.dirty.discard(topic)
            sockets = self._by_topic.get(topic)
            if sockets is not None:
                sockets.discard(listener)
                if not sockets:
                    del self._by_topic[topic]

    async def pump(self, listener: Listener) -> None:
        """Send a socket's frames until cancelled: never five within a second."""
        while True:
            await listener.wake.wait()
            listener.wake.clear()
            regions = sorted(listener.dirty)
            listener.dirty.clear()
            if regions:
                await listener.send(frame(self.pos, regions))
                await asyncio.sleep(FRAME_PAUSE)

    def publish(self, events: Iterable[SealedEvent]) -> None:
        """Mark what events changed, for every socket that listens to it."""
        changed: dict[str, int] = {}
        for event in events:
            changed |= dict.fromkeys(topics.topics_of(event), event.pos)
            self.pos = max(self.pos, event.pos)
        self._remember(changed)
        self._tell(changed)

    def _tell(self, changed: Iterable[str]) -> None:
        hit: dict[Listener, set[str]] = defaultdict(set)
        for topic in changed:
            for listener in self._by_topic.get(topic, ()):
                hit[listener].add(topic)
        for listener, dirty in hit.items():
            listener.mark(dirty)

    def nudge(self, user_id: int, topic: str) -> None:
        """Mark a topic as changed for one user's sockets alone. Not remembered: who joins later reads it fresh."""
        for listener in self._by_topic.get(topic, ()):
            if listener.ticket.user_id == user_id:
                listener.mark({topic})

    def suspect(self, user_id: int) -> None:
        """A user's rights were said to have changed: look again with the next check."""
        self.rights_seen += 1
        self._suspects.add(user_id)

    def _remember(self, changed: dict[str, int]) -> None:
        self._changed |= changed
        if len(self._changed) > REMEMBERED:
            by_age = sorted(self._changed, key=self._changed.__getitem__)
            for topic in by_age[: REMEMBERED // 2]:
                self._since = max(self._since, self._changed.pop(topic))

    def _everything_changed(self, pos: int) -> None:
        self.pos = self._since = pos
        self._changed.clear()
        for listener in self._listeners:
            listener.mark(listener.topics)

    async def _read_for_ever(self) -> None:
        pause = 0.1
        while True:
            try:
                async with await AsyncConnection.connect(**_parameters()) as connection:
                    pause = 0.1
                    await self._read(connection)
            except (psycopg.Error, OSError) as error:
                log.warning("hub.lost_database", error=str(error), retry_s=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _read(self, connection: AsyncConnection[TupleRow]) -> None:
        await connection.execute("LISTEN wk_ledger")
        await connection.execute("LISTEN wk_rights")
        await connection.execute("LISTEN wk_notices")
        if not self._ready.is_set():
            self._everything_changed(max(0, await _head(connection) - LOOK_BACK))
        while True:
            await self._catch_up(connection)
            self._ready.set()
            await self._look_ahead(connection)
            await asyncio.sleep(READ_PAUSE)
            async for note in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                if note.channel == "wk_rights" and note.payload.isdigit():
                    self.suspect(int(note.payload))
                    await self._check_suspects()
                elif note.channel == "wk_notices" and note.payload.isdigit():
                    self.nudge(int(note.payload), "notices")

    async def _catch_up(self, connection: AsyncConnection[TupleRow]) -> None:
        head = await _head(connection)
        if head < self.pos or head - self.pos > FAR_BEHIND:
            self._everything_changed(head)
        while self.pos < head:
            cursor = await connection.execute(ledger.AFTER, (self.pos, READ_LIMIT), prepare=True)
            rows = await cursor.fetchall()
            if not rows:
                break  # an event's row is gone: verify_ledger names it; live pages go on
            self.publish(SealedEvent(*row) for row in rows)
        self.pos = max(self.pos, head)
        self.fresh_at = time.monotonic()

    async def _look_ahead(self, connection: AsyncConnection[TupleRow]) -> None:
        """Tell of events that wait to be sealed, once each. They are not remembered: that is done when they are."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + POLL_SECONDS
        cursor = await connection.execute(ledger.UNSEALED, (self._unsealed, READ_LIMIT), prepare=True)
        waiting = [SealedEvent(*row) for row in await cursor.fetchall()]
        if waiting:
            self._unsealed = waiting[-1].id
            self._tell(set().union(*(topics.topics_of(event) for event in waiting)))

    async def _check_for_ever(self) -> None:
        full_at = time.monotonic() + RECHECK_SECONDS
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self._close_expired()
                await self._look_at_epoch()
                if time.monotonic() >= full_at:
                    full_at = time.monotonic() + RECHECK_SECONDS
                    self._suspects |= {listener.ticket.user_id for listener in self._listeners}
                await self._check_suspects()
            except Exception:
                # Whatever broke, the next round must come: this loop is what takes rights away.
                log.exception("hub.check_failed")

    async def _close_expired(self) -> None:
        tickets = {listener.ticket for listener in self._listeners}
        if not tickets:
            return
        gone = await database_sync_to_async(admission.expired)(tickets)
        for listener in [one for one in self._listeners if one.ticket in gone]:
            self.remove(listener)
            await _quietly(listener.close(4401))

    async def _look_at_epoch(self) -> None:
        epoch = await database_sync_to_async(admission.rights_epoch)()
        if epoch != self._epoch:
            self._epoch = epoch
            self.rights_seen += 1
            self._suspects |= {listener.ticket.user_id for listener in self._listeners}

    async def _check_suspects(self) -> None:
        """Drop what suspects may no longer listen to, and tell them to look again at what is left."""
        suspects, self._suspects = self._suspects, set()
        wanted: dict[int, set[str]] = defaultdict(set)
        for listener in self._listeners:
            if listener.ticket.user_id in suspects:
                wanted[listener.ticket.user_id] |= listener.topics
        if not wanted:
            return
        allowed = await database_sync_to_async(admission.readmitted)(dict(wanted))
        for listener in [one for one in self._listeners if one.ticket.user_id in allowed]:
            lost = (listener.topics & wanted[listener.ticket.user_id]) - allowed[listener.ticket.user_id]
            if lost:
                self.leave(listener, lost)
                await _quietly(listener.send(orjson.dumps({"type": "revoked", "topics": sorted(lost)}).decode()))


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


async def current() -> Hub:
    """This process's hub, reading."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    await _hubs[loop].start()
    return _hubs[loop]


def frame(pos: int, regions: list[str]) -> str:
    """What a browser is told: up to which position, and which topics' regions to fetch again."""
    return orjson.dumps({"type": "changed", "pos": pos, "regions": regions}).decode()


def _parameters() -> dict[str, Any]:
    return db.connection_parameters() | {"application_name": "watchkeeper hub"}


async def _head(connection: AsyncConnection[TupleRow]) -> int:
    row = await (await connection.execute(ledger.HEAD, prepare=True)).fetchone()
    return int(row[0]) if row else 0


async def _quietly(call: Awaitable[None]) -> None:
    """A socket that is already gone is no news, and one that does not read must not hold up the others."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(call, timeout=1.0)
