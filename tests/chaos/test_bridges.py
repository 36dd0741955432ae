"""One conformance suite for every broker that can be started here, with brokers killed without warning."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.contrib.auth.models import User
from django.db import connections

from agents.messaging import cloud, operations
from agents.messaging.bridges import Bridge, bridge
from agents.messaging.bridges.base import Incoming, Parcel
from agents.messaging.errors import BridgeDown
from agents.messaging.relay import Relay
from agents.models import BridgeHealth, Delivery, Message, Outbound
from orchestrator.models import Event
from tests import brokers
from tests.brokers import Broker
from tests.engine import eventually
from tests.messages import agents, envelope, send

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True)]
KEPT_ON_DISK = ("mqtt", "redis", "nats")
KINDS = (*KEPT_ON_DISK, "kafka")  # the Kafka endpoint that installs here keeps everything in memory


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[[str], Broker]]:
    made: list[Broker] = []

    def make(kind: str, **more: Any) -> Broker:
        brokers.needed(kind)
        folder = tmp_path / f"{kind}{len(made)}"
        folder.mkdir()
        made.append(Broker(kind, folder, **more))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, make_broker: Callable[[str], Broker]) -> Broker:
    return make_broker(request.param)


class _Running(threading.Thread):
    """A relay in a thread of its own."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        super().__init__()
        self.urls = urls
        self.ready = threading.Event()
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._relay())
        except BaseException as problem:  # noqa: BLE001 - the test's own thread raises it
            self.problem = problem
        finally:
            connections.close_all()

    async def _relay(self) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        self.stop = lambda: loop.call_soon_threadsafe(stop.set)
        self.ready.set()
        await Relay([bridge(url) for url in self.urls]).run(stop)


@contextmanager
def relay(*urls: str) -> Iterator[None]:
    running = _Running(urls)
    running.start()
    assert running.ready.wait(10)
    try:
        yield
    finally:
        if running.is_alive():
            running.stop()
        running.join(30)
        assert not running.is_alive()
        if running.problem is not None:
            raise running.problem


async def _next(found: Any) -> Incoming:
    async with asyncio.timeout(20):
        incoming: Incoming = await anext(found)
        return incoming


def state_of(broker: Broker) -> BridgeHealth | None:
    return BridgeHealth.objects.filter(name=broker.url).first()


def is_up(broker: Broker) -> bool:
    found = state_of(broker)
    return found is not None and found.up


def parcel(text: str, channel: str = "topics/claims/legal") -> Parcel:
    return Parcel(channel, text.encode(), {}, key="k")


# The interface


async def test_parcels_arrive_whole_and_in_order(broker: Broker):
    one = bridge(broker.url)
    await one.connect()
    try:
        await one.check()
        for number in range(20):
            await one.publish(parcel(f"{number}é", f"agents/a-{number % 2}/in"))
        found = one.incoming()
        got = []
        for _ in range(20):
            incoming = await _next(found)
            got.append((incoming.parcel.channel, incoming.parcel.body.decode()))
            await incoming.settle()
    finally:
        await one.close()

    assert got == [(f"agents/a-{n % 2}/in", f"{n}é") for n in range(20)]


@pytest.mark.parametrize("kind", KEPT_ON_DISK)
async def test_parcels_travel_encrypted_with_a_password(make_broker: Callable[..., Broker], kind: str):
    broker = make_broker(kind, encrypted=True)
    one = bridge(broker.url)
    await one.connect()
    try:
        await one.check()
        await one.publish(parcel("secret"))
        incoming = await _next(one.incoming())
        assert incoming.parcel.body == b"secret"
        await incoming.settle()
    finally:
        await one.close()
    other = bridge(broker.url.replace("pass%40word", "guessed"))
    with pytest.raises(BridgeDown):
        await other.connect()
    await other.close()


async def test_what_was_not_settled_comes_again_and_what_was_does_not(broker: Broker):
    first = bridge(broker.url)
    await first.connect()
    for text in ("kept", "settled later"):
        await first.publish(parcel(text))
    found = first.incoming()
    await (await _next(found)).settle()
    assert (await _next(found)).parcel.body == b"settled later"
    await first.close()
    if broker.kind == "nats":  # JetStream hands it out again when the time for its receipt is over: shortened here
        await _shorten_receipts(broker)

    second = bridge(broker.url)
    await second.connect()
    try:
        again = await _next(second.incoming())
        assert again.parcel.body == b"settled later"
        await again.settle()
    finally:
        await second.close()


async def _shorten_receipts(broker: Broker) -> None:
    import nats
    from nats.js.api import ConsumerConfig

    client = await nats.connect(f"nats://127.0.0.1:{broker.port}")
    stream = client.jetstream()
    await stream.add_consumer("WATCHKEEPER", ConsumerConfig(durable_name="watchkeeper", ack_wait=0.5))
    await client.close()


@pytest.mark.parametrize("broker", KEPT_ON_DISK, indirect=True)
async def test_parcel_that_was_acknowledged_survives_a_kill_of_the_broker(broker: Broker):
    one = bridge(broker.url)
    await one.connect()
    await one.publish(parcel("durable"))
    if broker.kind == "mqtt":  # mosquitto writes what it has acknowledged to disk about once a second
        await asyncio.to_thread(eventually, lambda: b"durable" in _disk(broker), timers=False)
    await asyncio.to_thread(broker.kill)
    with pytest.raises(BridgeDown):
        await _publish_until_it_is_noticed(one)
    await one.close()
    await asyncio.to_thread(broker.start)

    await one.connect()
    try:
        assert (await _next(one.incoming())).parcel.body == b"durable"
    finally:
        await one.close()


def _disk(broker: Broker) -> bytes:
    path = broker.folder / "mosquitto.db"
    return path.read_bytes() if path.exists() else b""


async def _publish_until_it_is_noticed(one: Bridge) -> None:
    for _ in range(50):
        await one.publish(parcel("nobody there"))


async def test_broker_that_is_not_there_is_down_in_words():
    for kind in KINDS:
        one = bridge(f"{kind}://user:hidden@127.0.0.1:{brokers.free_port()}")
        with pytest.raises(BridgeDown) as refused:
            await one.connect()
        assert "hidden" not in str(refused.value)
        await one.close()


# The relay


def test_messages_go_out_and_come_in_and_our_own_echo_is_known_by_its_id(broker: Broker, settings: Any):
    settings.MESSAGE_REMOTE_AGENTS = ["remote-7"]
    agents("planner", "legal")
    operations.subscribe("legal", "claims.#", by=User.objects.create_user("integrator"))
    with relay(broker.url):
        eventually(lambda: is_up(broker))
        out = send({"text": "for others"}, topic="claims.legal")
        eventually(lambda: Outbound.objects.filter(message=out).exclude(sent_at=None).exists())
        eventually(lambda: state_of(broker).repeated >= 1)  # type: ignore[union-attr]

        told = {"agent_id": "remote-7", "message_type": "TASK", "id": str(uuid4()), "payload": {"text": "from outside"}}
        asyncio.run(_publish(broker, "agents/legal/in", told))
        eventually(lambda: Message.objects.filter(agent_id="remote-7").exists())

    assert Outbound.objects.get().bridge == broker.url
    inbox = list(Delivery.objects.filter(recipient="legal").order_by("id").values_list("message__payload", flat=True))
    assert [orjson.loads(text)["text"] for text in inbox] == ["for others", "from outside"]
    assert Message.objects.get(agent_id="remote-7").via == broker.url


async def _publish(broker: Broker, channel: str, message: dict[str, Any]) -> None:
    """As another program would: over its own connection."""
    body = orjson.dumps(message)
    match broker.kind:
        case "mqtt":
            import aiomqtt

            async with aiomqtt.Client("127.0.0.1", broker.port) as client:
                await client.publish(channel, body, qos=1)
        case "redis":
            import redis.asyncio

            store = redis.asyncio.Redis(port=broker.port)
            await store.xadd("watchkeeper:messages", {"channel": channel, "body": body})
            await store.aclose()
        case "nats":
            import nats

            bus = await nats.connect(f"nats://127.0.0.1:{broker.port}")
            await bus.jetstream().publish(channel.replace("/", "."), body)
            await bus.close()
        case "kafka":
            import aiokafka

            producer = aiokafka.AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{broker.port}")
            await producer.start()
            headers = [("wk-channel", channel.encode())]
            await producer.send_and_wait("watchkeeper.messages", body, headers=headers)
            await producer.stop()


def test_outage_of_the_broker_loses_nothing(broker: Broker):
    agents("planner")
    with relay(broker.url):
        eventually(lambda: is_up(broker))
        send({"n": 0}, topic="claims")
        eventually(lambda: not Outbound.objects.filter(sent_at=None).exists())
        broker.kill()
        for number in range(1, 6):
            send({"n": number}, topic="claims")
        eventually(lambda: not is_up(broker))
        assert Outbound.objects.filter(sent_at=None).count() == 5
        broker.start()
        eventually(lambda: not Outbound.objects.filter(sent_at=None).exists())

    kinds = list(Event.objects.filter(kind__startswith="bridge.").order_by("id").values_list("kind", flat=True))
    assert kinds[:3] == ["bridge.up", "bridge.down", "bridge.up"]


def test_death_of_the_leading_broker_of_a_kafka_cluster_loses_nothing(make_broker: Callable[..., Broker]):
    agents("planner")
    cluster = make_broker("kafka", brokers=3)
    with relay(cluster.url):
        eventually(lambda: is_up(cluster))
        send({"n": 0}, topic="claims")
        eventually(lambda: not Outbound.objects.filter(sent_at=None).exists())
        cluster.fail_over()
        for number in range(1, 6):
            send({"n": number}, topic="claims")
        eventually(lambda: not Outbound.objects.filter(sent_at=None).exists())
        eventually(lambda: state_of(cluster).repeated >= 6)  # type: ignore[union-attr] - each came back to its reader


def test_another_bridge_stands_in_and_that_is_told(make_broker: Callable[[str], Broker]):
    agents("planner")
    first, second = make_broker("redis"), make_broker("nats")
    with relay(first.url, second.url):
        eventually(lambda: is_up(first) and is_up(second))
        send({"n": 1}, topic="claims")
        eventually(lambda: not Outbound.objects.filter(sent_at=None).exists())
        first.kill()
        send({"n": 2}, topic="claims")
        eventually(lambda: not Outbound.objects.filter(sent_at=None).exists())
        eventually(lambda: not is_up(first))
        first.start()
        eventually(lambda: is_up(first))
        send({"n": 3}, topic="claims")
        eventually(lambda: not Outbound.objects.filter(sent_at=None).exists())

    assert list(Outbound.objects.order_by("id").values_list("bridge", flat=True)) == [first.url, second.url, first.url]
    told = [e.data for e in Event.objects.filter(kind="bridge.failed_over").order_by("id")]
    assert told == [
        {"bridge": second.url, "instead_of": first.url},
        {"bridge": first.url, "instead_of": second.url},
    ]


def test_strangers_and_nonsense_on_the_bus_are_refused_and_block_nothing(broker: Broker, settings: Any):
    settings.MESSAGE_REMOTE_AGENTS = ["remote-7"]
    agents("planner", "legal")
    good = {"agent_id": "remote-7", "message_type": "TASK", "payload": {"text": "good"}}
    with relay(broker.url):
        eventually(lambda: is_up(broker))
        for channel, message in (
            ("agents/legal/in", {**good, "agent_id": "planner"}),  # in the name of one of ours
            ("agents/legal/in", {"nonsense": True}),
            ("topics/claims", {**good, "topic": "other"}),
            ("agents/nobody/in", good),
            ("agents/legal/in", good),
        ):
            asyncio.run(_publish(broker, channel, message))
        eventually(Message.objects.exists)
        eventually(lambda: state_of(broker).refused == 4)  # type: ignore[union-attr]

    assert list(Message.objects.values_list("agent_id", "to")) == [("remote-7", "legal")]


def test_cloudevent_from_the_bus_is_read(make_broker: Callable[[str], Broker], settings: Any):
    settings.MESSAGE_REMOTE_AGENTS = ["remote-7"]
    agents("legal")
    broker = make_broker("redis")
    _, body = cloud.structured(envelope({"text": "event"}, agent_id="remote-7", to="legal"))
    with relay(broker.url):
        eventually(lambda: is_up(broker))
        asyncio.run(_publish(broker, "agents/legal/in", orjson.loads(body)))
        eventually(Message.objects.exists)

    assert Message.objects.get().agent_id == "remote-7"
