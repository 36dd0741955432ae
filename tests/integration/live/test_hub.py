"""The hub with many listeners and none of the network."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from monitoring import hub as hubs
from monitoring.admission import Ticket
from monitoring.hub import Hub, Listener
from orchestrator.ledger import SealedEvent


def event(pos: int, kind: str = "task.started", run_id: int | None = 1) -> SealedEvent:
    return SealedEvent(pos, pos, run_id, None, kind, datetime(2026, 1, 1, tzinfo=UTC), "engine", None)


def listener(hub: Hub, frames: list[str], *topics: str) -> Listener:
    async def send(frame: str) -> None:
        frames.append(frame)

    async def close(code: int) -> None:
        raise AssertionError

    made = Listener(Ticket(1, "key", "hash"), send, close)
    hub.add(made)
    hub.join(made, topics, since=None)
    return made


@asynccontextmanager
async def pumping(hub: Hub, listeners: list[Listener]) -> AsyncIterator[None]:
    pumps = [asyncio.create_task(hub.pump(one)) for one in listeners]
    yield
    for pump in pumps:
        pump.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)


async def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_publish_to_200_listeners_is_quick_and_gives_each_few_frames():
    hub, heard = Hub(), [[] for _ in range(200)]
    listeners = [listener(hub, frames, "floor", f"run:{n % 20}") for n, frames in enumerate(heard)]
    began, spent = time.monotonic(), 0.0
    async with pumping(hub, listeners):
        for batch in range(20):  # 2,000 events in half a second
            started = time.perf_counter()
            hub.publish(event(batch * 100 + n, run_id=n % 20) for n in range(100))
            spent += time.perf_counter() - started
            await asyncio.sleep(0.025)
        newest = '{"type":"changed","pos":1999'
        await until(lambda: all(frames and frames[-1].startswith(newest) for frames in heard))

    most = (time.monotonic() - began) * 4 + 1
    assert spent < 1
    assert all(2 <= len(frames) <= most for frames in heard)


async def test_publish_to_a_browser_that_does_not_read_keeps_one_set_and_holds_up_nobody():
    hub, heard = Hub(), []
    stuck = listener(hub, [], "floor")
    listeners = [stuck, listener(hub, heard, "floor")]

    async def never(frame: str) -> None:
        await asyncio.Event().wait()

    stuck.send = never
    async with pumping(hub, listeners):
        for pos in range(1, 50):
            hub.publish([event(pos)])
            await asyncio.sleep(0.01)
        await until(lambda: len(heard) >= 2)

    assert stuck.dirty == {"floor"}


async def test_join_since_a_position_returns_what_changed_after_it():
    hub = Hub()
    hub.publish([event(5, run_id=1), event(6, kind="agent.registered", run_id=None)])
    one = listener(hub, [])

    assert hub.join(one, {"run:1", "agents", "inbox"}, since=5) == {"agents"}
    assert hub.join(one, {"run:1", "agents", "inbox"}, since=4) == {"agents", "run:1"}


async def test_join_since_something_forgotten_returns_everything(monkeypatch):
    monkeypatch.setattr(hubs, "REMEMBERED", 10)
    hub = Hub()
    hub.publish(event(pos, run_id=pos) for pos in range(1, 40))
    one = listener(hub, [])

    assert hub.join(one, {"inbox"}, since=2) == {"inbox"}
    assert hub.join(one, {"inbox"}, since=38) == set()


async def test_remove_leaves_nothing_behind():
    hub = Hub()
    one = listener(hub, [], "floor", "run:1")

    hub.remove(one)
    hub.publish([event(1)])

    assert one.dirty == set()
    assert hub.count(1) == 0
    assert dict(hub._by_topic) == {}
