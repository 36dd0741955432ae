"""Others' buses behind one interface. Each library is imported when its bridge connects: none of them need be there."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from agents.messaging.bridges.base import Bridge, Place
from agents.messaging.bridges.kafka import KafkaBridge
from agents.messaging.bridges.mqtt import MqttBridge
from agents.messaging.bridges.nats import NatsBridge
from agents.messaging.bridges.redis_streams import RedisBridge
from agents.messaging.errors import BridgeConfigured

KINDS: Final[dict[str, tuple[Callable[[Place], Bridge], int]]] = {
    "mqtt": (MqttBridge, 1883),
    "redis": (RedisBridge, 6379),
    "nats": (NatsBridge, 4222),
    "kafka": (KafkaBridge, 9092),
}


def bridge(url: str) -> Bridge:
    """The bridge that an address means: `mqtt://user:password@host:port`, `redis://`, `nats://`, `kafka://`.

    Raises BridgeConfigured, which never shows a password.
    """
    try:
        parts = urlsplit(url)
        make, port = KINDS[parts.scheme]
        host = parts.hostname
        place = Place(parts.scheme, host or "", parts.port or port, parts.username or "", parts.password or "")
    except (KeyError, ValueError) as problem:
        kinds = ", ".join(f"{kind}://" for kind in KINDS)
        raise BridgeConfigured(problem=f"each address begins with one of {kinds} and names a host") from problem
    if not host:
        raise BridgeConfigured(problem=f"the {parts.scheme}:// address names no host")
    return make(place)


__all__ = ["Bridge", "bridge"]
