"""Web push to a real endpoint on this machine, opened with the subscription's own keys by the library's reference."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from py_vapid import Vapid02

from approvals.errors import ChannelRefused
from approvals.models import Channel, Delivery
from approvals.notices import delivering, push, services, telling
from orchestrator import tasks
from tests import outlets, people
from tests.hands import seal

pytestmark = pytest.mark.django_db(transaction=True)
BACKEND = "django.contrib.auth.backends.ModelBackend"


class Device:
    """A browser: its keys, and what its push service was sent."""

    def __init__(self, service: Any) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"0123456789abcdef"
        self.service = service
        self.endpoint = f"http://{service.host}/push/1"

    def subscription(self) -> str:
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": _text(point), "auth": _text(self.auth)}
        return json.dumps({"endpoint": self.endpoint, "keys": keys})

    def read(self, body: bytes) -> dict[str, Any]:
        opened = http_ece.decrypt(body, private_key=self.private, auth_secret=self.auth, version="aes128gcm")
        found: dict[str, Any] = json.loads(opened)
        return found


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@pytest.fixture
def device(settings, tmp_path) -> Iterator[Device]:
    settings.DATA_DIR = tmp_path
    push._vapid.cache_clear()
    with outlets.push_service() as service:
        settings.PUSH_HOSTS = [service.host]
        yield Device(service)
    push._vapid.cache_clear()


@pytest.fixture
def ana():
    telling.tell()
    return people.person("ana", decides=people.queue())


def tell() -> None:
    seal()
    telling.tell()
    delivering.deliver()


def subscribe(user: Any, device: Device, **fields: str) -> Any:
    client = Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/150 Safari/537"})
    client.force_login(user, backend=BACKEND)
    answer = client.post("/inbox/notices/settings/push/", {"subscription": device.subscription(), **fields})
    assert answer.status_code == 204, answer.text
    return client


def test_browser_is_told_in_words_that_only_it_can_read_and_a_click_opens_the_card(ana, device, settings):
    subscribe(ana, device, says_titles="on")
    gate = people.gate(title="Isolate host fin-db-02", risk="high")

    tell()

    (sent,) = device.service.posted
    told = device.read(sent["body"])
    assert "Isolate host fin-db-02" in told["title"]
    assert "Oncall" in told["body"]
    assert told["path"] == f"/inbox/{gate.pk}/"
    assert b"fin-db" not in sent["body"]
    assert sent["headers"]["Content-Encoding"] == "aes128gcm"
    assert sent["headers"]["Urgency"] == "high"
    assert Vapid02.verify(sent["headers"]["Authorization"])
    assert f"k={push.public_key()}" in sent["headers"]["Authorization"]
    assert Channel.objects.get().name == "Chrome · Linux"
    assert "push" not in Channel.objects.get().sealed_address
    assert (Path(settings.DATA_DIR) / push.FILE).stat().st_mode & 0o777 == 0o600


def test_without_titles_only_queue_and_risk_leave(ana, device):
    subscribe(ana, device)
    people.gate(title="Isolate host fin-db-02")

    tell()

    told = device.read(device.service.posted[0]["body"])
    assert "fin-db" not in json.dumps(told)
    assert "Oncall" in told["title"]


def test_browser_that_has_gone_is_forgotten(ana, device):
    subscribe(ana, device)
    device.service.status = 410
    people.gate()

    tell()

    channel = Channel.objects.get()
    assert channel.removed_at is not None
    assert channel.sealed_address == ""
    assert not Delivery.objects.filter(status="due").exists()


def test_same_browser_is_one_way_and_can_leave(ana, device):
    client = subscribe(ana, device)
    subscribe(ana, device)
    assert Channel.objects.filter(removed_at=None).count() == 1

    client.post("/inbox/notices/settings/push/remove/", {"endpoint": device.endpoint})

    assert not Channel.objects.filter(removed_at=None).exists()


def test_service_elsewhere_and_private_addresses_are_refused(ana, device, settings, monkeypatch):
    hostile = json.loads(device.subscription())
    settings.PUSH_HOSTS = []
    with pytest.raises(ChannelRefused):
        services.add_channel(by=ana, kind="push", address=json.dumps(hostile))
    hostile["endpoint"] = "https://fcm.googleapis.com/fcm/send/x"
    services.add_channel(by=ana, kind="push", address=json.dumps(hostile))
    private = [(2, 1, 6, "", ("127.0.0.1", 443))]
    monkeypatch.setattr(push.socket, "getaddrinfo", lambda *a, **k: private)  # a name that leads inside
    people.gate()

    tell()

    assert "private address" in Channel.objects.get().problem
    assert device.service.posted == []


def test_people_are_told_while_the_broker_is_away(ana, monkeypatch):
    """Beat rings in vain then; the leader of the event log does what it would have rung for."""
    gate = people.gate()
    seal()
    turns = iter((True, False))
    monkeypatch.setattr(tasks, "run_sequencer", lambda *a: next(turns))
    monkeypatch.setattr(tasks.dispatch, "ring", lambda *a, **k: False)

    tasks.sequence()

    assert ana.notices.get().gate_id == gate.pk
