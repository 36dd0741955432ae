"""What bridges are made of, without a broker: addresses, missing libraries, Kafka's records."""

import asyncio
import gc
import re
import ssl
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest

from agents.messaging import routing
from agents.messaging.bridges import bridge
from agents.messaging.bridges.base import Parcel, Place
from agents.messaging.bridges.kafka import KafkaBridge
from agents.messaging.errors import BridgeConfigured, BridgeDown
from tests.brokers import certificate


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("mqtt://user:secret@broker", "mqtt://broker:8883"),
        ("mqtt://user:secret@broker?tls=false", "mqtt://broker:1883"),
        ("mqtt://broker?ca=/etc/ca.pem", "mqtt://broker:8883"),
        ("redis://127.0.0.1:7000", "redis://127.0.0.1:7000"),
        ("nats://n", "nats://n:4222"),
        ("kafka://k", "kafka://k:9092"),
    ],
)
def test_address_means_a_bridge_and_its_password_is_shown_nowhere(url, name):
    made = bridge(url)

    assert made.place.name == name
    assert "secret" not in repr(made.place)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://h?mechanism=PLAIN", "redis:// knows no 'mechanism'; it may say ca, cert, key, tls"),
        ("kafka://h?mechanism=GSSAPI", "mechanism is one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        ("nats://h?tls=perhaps", "tls is true or false"),
    ],
)
def test_option_that_means_nothing_is_refused(url, problem):
    with pytest.raises(BridgeConfigured, match=re.escape(problem)):
        bridge(url)


@pytest.mark.parametrize(
    ("url", "protocol", "more"),
    [
        ("kafka://k", "PLAINTEXT", {}),
        ("kafka://k?tls=true", "SSL", {}),
        ("kafka://k?servers=l:9093+m:9094", "PLAINTEXT", {"bootstrap_servers": ["k:9092", "l:9093", "m:9094"]}),
        ("kafka://u:p%40ss@k", "SASL_SSL", {"sasl_mechanism": "PLAIN", "sasl_plain_password": "p@ss"}),
        ("kafka://u:p@k?tls=false", "SASL_PLAINTEXT", {"sasl_plain_username": "u"}),
        ("kafka://u:p@k?mechanism=SCRAM-SHA-512", "SASL_SSL", {"sasl_mechanism": "SCRAM-SHA-512"}),
    ],
)
async def test_kafkas_client_is_told_of_sasl_tls_and_the_other_brokers(url, protocol, more, monkeypatch):
    import aiokafka

    told: list[dict[str, Any]] = []

    class Client:
        def __init__(self, *_topics: str, **settings: Any) -> None:
            told.append(settings)
            self._client = self

        async def start(self) -> None: ...
        async def stop(self) -> None: ...
        async def close(self) -> None: ...

    monkeypatch.setattr(aiokafka, "AIOKafkaProducer", Client)
    monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", Client)
    one = bridge(url)
    await one.connect()
    await one.close()

    assert len(told) == 2
    for settings in told:
        assert settings["security_protocol"] == protocol
        assert (settings["ssl_context"] is not None) == protocol.endswith("SSL")
        assert {name: settings[name] for name in more} == more


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of paho
@pytest.mark.parametrize("kind", ["mqtt", "redis", "nats", "kafka"])
async def test_broker_whose_certificate_nobody_vouches_for_is_refused_before_it_hears_the_password(kind, tmp_path):
    heard, trusted = [], certificate(tmp_path / "trusted")[0]

    async def answer(reader, writer):
        if kind == "nats":  # it speaks first, readable, and both go on encrypted
            writer.write(b'INFO {"tls_required":true}\r\n')
            await writer.drain()
            await writer.start_tls(context)
        heard.append(await reader.read(1000))
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate(tmp_path / "theirs"))
    server = await asyncio.start_server(_forgiving(answer), "127.0.0.1", 0, ssl=None if kind == "nats" else context)
    port = server.sockets[0].getsockname()[1]
    one = bridge(f"{kind}://me:hidden@127.0.0.1:{port}?ca={trusted}")
    with pytest.raises(BridgeDown) as refused:
        await one.connect()
    await one.close()
    server.close()
    assert "hidden" not in str(refused.value)
    assert not any(b"hidden" in said for said in heard)
    del refused, one  # what paho left open dies here, not under the eyes of a later test: its frames hold it
    for _ in range(100):
        gc.collect()
        if not any(isinstance(left, ssl.SSLSocket) for left in gc.get_objects()):
            return
        await asyncio.sleep(0.02)
    pytest.fail("a socket is still held")


async def test_nats_server_that_takes_its_offer_of_tls_back_hears_no_password():
    heard: list[bytes] = []
    writers = []

    async def answer(reader, writer):
        writers.append(writer)
        writer.write(b'INFO {"tls_required":false}\r\n')
        heard.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(_forgiving(answer), "127.0.0.1", 0)
    one = bridge(f"nats://me:hidden@127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(BridgeDown, match="offers no TLS"):
        await one.connect()
    await one.close()
    server.close()
    for writer in writers:
        writer.transport.abort()
    await server.wait_closed()  # what it has heard, and its sockets, are complete
    assert heard in ([], [b""])
    gc.collect()


async def test_nats_socket_is_closed_where_the_farewell_fails(monkeypatch):
    """What is still unsent cannot be, and the library then leaves the socket open."""

    async def answer(reader, writer):
        writer.write(b'INFO {"max_payload":1000}\r\n')
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    async def gone():
        raise ConnectionResetError

    server = await asyncio.start_server(_forgiving(answer), "127.0.0.1", 0)
    one = bridge(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    one._client = client = await one._connected()
    monkeypatch.setattr(client._transport, "drain", gone)
    client._pending, client._pending_data_size = [b"PING\r\n"], 6
    await one.close()
    assert client._transport._io_writer.is_closing()
    server.close()
    await server.wait_closed()


def _forgiving(answer):
    async def serve(reader, writer):
        with suppress(OSError):
            await answer(reader, writer)

    return serve


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
