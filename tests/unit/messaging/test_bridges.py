"""What bridges are made of, without a broker: addresses, missing libraries, Kafka's records."""

import subprocess
import sys
from typing import Any

import pytest

from agents.messaging import routing
from agents.messaging.bridges import bridge
from agents.messaging.bridges.base import Parcel, Place
from agents.messaging.bridges.kafka import KafkaBridge
from agents.messaging.errors import BridgeConfigured, BridgeDown


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("mqtt://user:secret@broker", "mqtt://broker:1883"),
        ("redis://127.0.0.1:7000", "redis://127.0.0.1:7000"),
        ("nats://n", "nats://n:4222"),
        ("kafka://k", "kafka://k:9092"),
    ],
)
def test_address_means_a_bridge_and_its_password_is_shown_nowhere(url, name):
    made = bridge(url)

    assert made.place.name == name
    assert "secret" not in repr(made.place)


@pytest.mark.parametrize("url", ["amqp://x", "nonsense", "mqtt://", "redis://h:port"])
def test_address_that_means_nothing_is_refused(url):
    with pytest.raises(BridgeConfigured, match="mqtt://"):
        bridge(url)


NOTHING = """
import sys
for name in ("aiomqtt", "paho", "redis", "nats", "aiokafka"):
    sys.modules[name] = None
import asyncio, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
import django
django.setup()
import config.urls
from agents.messaging.bridges import KINDS, bridge
from agents.messaging.errors import BridgeDown
for kind in KINDS:
    try:
        asyncio.run(bridge(f"{kind}://127.0.0.1:1").connect())
    except BridgeDown as down:
        print(down)
"""


def test_application_starts_without_any_broker_library_and_names_what_is_missing():
    done = subprocess.run([sys.executable, "-c", NOTHING], capture_output=True, text=True, check=True)

    said = done.stdout.splitlines()
    assert [line.rpartition("--extra ")[2].rstrip(".") for line in said] == ["mqtt", "redis", "nats", "kafka"]


@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("a.#", "a.b.c", True),
        ("a.#", "a", True),
        ("a.#", "b", False),
        ("#", "anything.at.all", True),
        ("*.b", "a.b", True),
        ("a", "a.b", False),
        ("a.b.#", "a", False),
    ],
)
def test_pattern_means_these_topics(pattern, topic, fits):
    assert routing.matches(pattern, topic) is fits


class _Producer:
    """Takes what aiokafka's producer takes (held against its signature below)."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def send_and_wait(self, topic, value=None, key=None, partition=None, timestamp_ms=None, headers=None):
        self.sent.append({"topic": topic, "value": value, "key": key, "headers": headers})


async def test_kafka_record_has_the_thread_as_its_key_and_the_channel_as_a_header():
    import inspect

    import aiokafka

    made = KafkaBridge(Place("kafka", "h", 9092))
    made._producer = producer = _Producer()

    await made.publish(Parcel("topics/claims", b"body", {"ce-id": "1"}, key="thread-1"))

    assert producer.sent == [
        {
            "topic": "watchkeeper.messages",
            "value": b"body",
            "key": b"thread-1",
            "headers": [("wk-channel", b"topics/claims"), ("ce-id", b"1")],
        }
    ]
    theirs = inspect.signature(aiokafka.AIOKafkaProducer.send_and_wait).parameters
    assert list(theirs)[1:] == list(inspect.signature(_Producer.send_and_wait).parameters)[1:]


async def test_kafka_that_is_not_connected_is_down():
    made = KafkaBridge(Place("kafka", "h", 9092))

    with pytest.raises(BridgeDown):
        await made.publish(Parcel("topics/x", b"", {}))
    with pytest.raises(BridgeDown):
        await made.check()
