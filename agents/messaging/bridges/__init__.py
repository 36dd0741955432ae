"""Others' buses behind one interface. Each library is imported when its bridge connects: none of them need be there."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from agents.messaging.bridges.base import Bridge, Place
from agents.messaging.bridges.kafka import KafkaBridge
from agents.messaging.bridges.mqtt import MqttBridge
from agents.messaging.bridges.nats import NatsBridge
from agents.messaging.bridges.redis_streams import RedisBridge
from agents.messaging.errors import BridgeConfigured

KINDS: Final[dict[str, tuple[Callable[[Place], Bridge], int, int]]] = {  # with its port, and that for TLS
    "mqtt": (MqttBridge, 1883, 8883),
    "redis": (RedisBridge, 6379, 6379),
    "nats": (NatsBridge, 4222, 4222),
    "kafka": (KafkaBridge, 9092, 9092),
}
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_FILES: Final = ("ca", "cert", "key")
_KAFKAS: Final = ("mechanism", "servers")


def bridge(url: str) -> Bridge:
    """The bridge that an address means: `mqtt://user:password@host:port?tls=true&ca=/file`, `redis://`, `nats://`,
    `kafka://`. Where there is a password there is TLS, unless the address says `tls=false`.

    Raises BridgeConfigured, which never shows a password.
    """
    try:
        parts = urlsplit(url)
        make, plain, encrypted = KINDS[parts.scheme]
        port = parts.port
        options = _options(parts)
    except (KeyError, ValueError) as problem:
        kinds = ", ".join(f"{kind}://" for kind in KINDS)
        raise BridgeConfigured(problem=f"each address begins with one of {kinds} and names a host") from problem
    if not parts.hostname:
        raise BridgeConfigured(problem=f"the {parts.scheme}:// address names no host")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    port = port or (encrypted if options["tls"] else plain)
    return make(Place(parts.scheme, parts.hostname, port, user, password, **options))


def _options(parts: SplitResult) -> dict[str, Any]:
    given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    known = {"tls", *_FILES} | (set(_KAFKAS) if parts.scheme == "kafka" else set())
    if unknown := set(given) - known:
        problem = f"{parts.scheme}:// knows no {min(unknown)!r}; it may say {', '.join(sorted(known))}"
        raise BridgeConfigured(problem=problem)
    if given.get("tls", "true") not in ("true", "false"):
        raise BridgeConfigured(problem="tls is true or false")
    if given.get("mechanism", "PLAIN") not in MECHANISMS:
        raise BridgeConfigured(problem=f"mechanism is one of {', '.join(MECHANISMS)}")
    wants_tls = bool(parts.username) or any(given.get(name) for name in _FILES)
    found: dict[str, Any] = {**given, "tls": given["tls"] == "true" if "tls" in given else wants_tls}
    if "servers" in given:
        found["servers"] = tuple(given["servers"].split())  # a + of the address is a space by now
    return found


__all__ = ["Bridge", "bridge"]
