"""agents.messaging.relay: what a broker's client library raises takes its own bridge down, and nothing else."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.db import connections
from django.db.models.functions import Now

from agents.messaging import outbox
from agents.messaging.bridges.base import Incoming, Parcel, Place
from agents.messaging.relay import Relay
from agents.models import BridgeHealth, Outbound
from orchestrator.models import Event
from tests.engine import eventually
from tests.messages import agents, send

pytestmark = pytest.mark.django_db(transaction=True)


class Bus:
    """A broker's client in this process. With `fault`, what it raises when something is to be sent."""

    alone = False

    def __init__(self, port: int, fault: Exception | None = None) -> None:
        self.place = Place("nats", "127.0.0.1", port)
        self.taken: list[Parcel] = []
        self.connected = 0
        self._fault = fault

    async def connect(self) -> None:
        """There is nothing to connect to."""
        self.connected += 1

    async def close(self) -> None:
        """Nor to leave."""

    async def publish(self, parcel: Parcel) -> None:
        if self._fault is not None:
            raise self._fault
        self.taken.append(parcel)

    async def incoming(self) -> AsyncIterator[Incoming]:
        await asyncio.Event().wait()
        yield Incoming(Parcel("topics/never", b"", {}), self.connect)

    async def check(self) -> None:
        if self._fault is not None:
            raise self._fault


class Running(threading.Thread):
    """A relay over these, until `stop`."""

    def __init__(self, *buses: Bus) -> None:
        super().__init__()
        self._buses = buses
        self._begun = threading.Event()
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._relay())
        except BaseException as problem:  # noqa: BLE001 - the test looks at it
            self.problem = problem
        finally:
            connections.close_all()

    async def _relay(self) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        self.stop: Any = lambda: loop.call_soon_threadsafe(stop.set)
        self._begun.set()
        await Relay(list(self._buses)).run(stop)

    def __enter__(self) -> None:
        self.start()
        assert self._begun.wait(10)

    def __exit__(self, *_: object) -> None:
        if self.is_alive():
            self.stop()
        self.join(30)
        assert not self.is_alive()


def test_a_fault_of_one_client_library_stops_neither_the_others_nor_the_relay() -> None:
    agents("planner")
    wild, good = Bus(1, RuntimeError("its own kind of error")), Bus(2)
    running = Running(wild, good)
    with running:
        eventually(lambda: BridgeHealth.objects.count() == 2)
        send({"n": 1}, topic="claims")
        eventually(lambda: not Outbound.objects.filter(sent_at=None).exists())
    assert running.problem is None
    assert len(good.taken) == 1
    assert wild.taken == []


def test_of_two_relays_one_keeps_a_bridge_that_only_one_may_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []
    hold = outbox.hold

    def seen(*of: Any, **more: Any) -> bool:
        held.append(hold(*of, **more))
        return held[-1]

    monkeypatch.setattr(outbox, "hold", seen)
    first, second = Bus(1), Bus(1)
    first.alone = second.alone = True
    one = Running(first)
    with one:
        eventually(lambda: first.connected == 1)
        two = Running(second)
        with two:
            eventually(lambda: False in held)
            assert second.connected == 0
            one.stop()
            eventually(lambda: second.connected == 1)  # at once: whoever ends lets go
    assert (one.problem, two.problem) == (None, None)
    assert first.connected == 1
    kinds = list(Event.objects.filter(kind__startswith="bridge.").values_list("kind", flat=True))
    assert kinds == ["bridge.up"]


def test_bridge_of_a_lost_relay_is_taken_over() -> None:
    place = Place("mqtt", "127.0.0.1", 1)
    assert outbox.hold(place, rank=0, relay="lost")
    assert outbox.hold(place, rank=0, relay="lost")
    assert not outbox.hold(place, rank=0, relay="other")
    BridgeHealth.objects.update(held_until=Now())
    assert outbox.hold(place, rank=0, relay="other")
    assert not outbox.hold(place, rank=0, relay="lost")
