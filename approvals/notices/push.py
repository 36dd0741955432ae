"""Web push: one encrypted message for one browser, by its maker's push service.

What a browser hands in is hostile: its address must be https on a host that push services use, or that the operator
names in PUSH_HOSTS, must lead to a public address, and is looked up once. Payloads are encrypted for the browser alone
(RFC 8291), and signed with a key of ours that the services know us by (VAPID, RFC 8292).
"""

import base64
import binascii
import ipaddress
import json
import os
import secrets
import socket
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

import httpx
from django.conf import settings

from approvals.errors import ChannelRefused
from approvals.notices.composing import Text
from approvals.notices.places import SECONDS, SendFailed

if TYPE_CHECKING:
    from py_vapid import Vapid02

FILE: Final = "vapid.pem"
MOST: Final = 2_000  # characters of a subscription
LIFE_S: Final = 12 * 3600  # how long a service keeps a message for a browser that is not there
# Of the browsers' makers: Chrome and its kin, Firefox, Edge, Safari. A dot in front stands for any name below.
_SERVICES: Final = (
    "fcm.googleapis.com", "updates.push.services.mozilla.com", ".push.services.mozilla.com",
    ".notify.windows.com", "web.push.apple.com", ".push.apple.com",
)  # fmt: skip


class SubscriptionGone(SendFailed):
    """The browser has given this address up: nothing will arrive there any more."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where one browser is told, and the keys that only it can open messages with."""

    endpoint: str
    p256dh: str
    auth: str
    label: str

    @property
    def as_text(self) -> str:
        """As it is sealed."""
        return json.dumps({"endpoint": self.endpoint, "keys": self.keys, "label": self.label})

    @property
    def keys(self) -> dict[str, str]:
        """As browsers name them."""
        return {"p256dh": self.p256dh, "auth": self.auth}


def read(text: str) -> Subscription:
    """What a browser handed in, once it is one that we send to. Raises ChannelRefused."""
    if len(text) > MOST:
        raise ChannelRefused(problem=f"it has more than {MOST:,} characters")
    try:
        given = json.loads(text)
        keys = given["keys"]
        found = Subscription(
            str(given["endpoint"]), str(keys["p256dh"]), str(keys["auth"]), str(given.get("label", ""))[:60]
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ChannelRefused(problem="it is not what a browser hands in") from error
    if (len(_bytes(found.p256dh)), len(_bytes(found.auth))) != (65, 16) or _bytes(found.p256dh)[:1] != b"\x04":
        raise ChannelRefused(problem="its keys are not those of a browser")
    _checked(found.endpoint)
    return found


def send(text: str, message: Text) -> None:
    """Send one message to one browser. Raises SendFailed, and SubscriptionGone where it has given us up."""
    try:
        to = read(text)
        parts = _checked(to.endpoint)
    except ChannelRefused as refusal:
        raise SendFailed(str(refusal)) from refusal
    ip = _looked_up(parts)
    body = _encrypted(to, payload(message))
    headers = {
        **vapid_headers(f"{parts.scheme}://{parts.netloc}"),
        "Host": parts.netloc,
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(LIFE_S),
        "Urgency": "high" if message.is_urgent else "normal",
    }
    literal = f"[{ip}]" if ":" in ip else ip
    pinned = parts._replace(netloc=f"{literal}:{parts.port}" if parts.port else literal).geturl()
    try:
        with httpx.Client(timeout=SECONDS, follow_redirects=False, trust_env=False) as client:
            answer = client.post(pinned, content=body, headers=headers, extensions={"sni_hostname": parts.hostname})
    except httpx.HTTPError as error:
        raise SendFailed(f"The push service did not answer: {type(error).__name__}.") from error
    if answer.status_code in (404, 410):
        raise SubscriptionGone("The browser has given this address up.")
    if answer.status_code not in (200, 201, 202, 204):
        raise SendFailed(f"The push service answered {answer.status_code}.")


def payload(message: Text) -> bytes:
    """What the browser is told: a line, what it says, and the place in the product that a click opens."""
    said = {"title": message.subject[:200], "body": message.brief[:300], "path": message.path}
    return json.dumps(said, ensure_ascii=False).encode()


def public_key() -> str:
    """What browsers are told of our key: its point, uncompressed, in base64url (RFC 8292)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - as in keyring

    point = _vapid().public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def vapid_headers(origin: str) -> dict[str, str]:
    """The signature by which a service knows us; good for this service and a few hours."""
    subject = settings.PUBLIC_URL if settings.PUBLIC_URL.startswith("https://") else f"mailto:{_mailbox()}"
    headers: dict[str, str] = _vapid().sign({"aud": origin, "sub": subject, "exp": int(time.time()) + LIFE_S})
    return headers


def ensure_key() -> None:
    """Make our key if there is none yet: at the first start."""
    _vapid()


def _mailbox() -> str:
    address: str = settings.DEFAULT_FROM_EMAIL
    return address if "@" in address and "localhost" not in address else "operator@example.org"


@cache
def _vapid() -> "Vapid02":
    from py_vapid import Vapid02  # noqa: PLC0415 - processes that send nothing

    path = Path(settings.DATA_DIR) / FILE
    if not path.exists():
        made = Vapid02()
        made.generate_keys()
        _write(path, made.private_pem())
    return Vapid02.from_pem(path.read_bytes())


def _write(path: Path, contents: bytes) -> None:
    """Whole or not at all, for its owner alone. The first of two processes wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(contents)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()


def _encrypted(to: Subscription, data: bytes) -> bytes:
    from pywebpush import WebPusher, WebPushException  # noqa: PLC0415 - aiohttp and requests with it

    try:
        body: bytes = WebPusher({"endpoint": to.endpoint, "keys": to.keys}).encode(data)["body"]
    except (WebPushException, ValueError) as error:  # a point that is not on the curve
        raise SendFailed("Its keys cannot be encrypted for; subscribe again in that browser.") from error
    return body


def _checked(endpoint: str) -> SplitResult:
    refused = ChannelRefused(problem="its address is not one of a push service")
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise refused from error
    host = (parts.hostname or "").lower()
    if not host or parts.username or parts.password or parts.fragment or "\\" in endpoint:
        raise refused
    named = f"{host}:{port}" if port else host
    if named in {one.lower() for one in settings.PUSH_HOSTS}:
        if parts.scheme == "https" or (parts.scheme == "http" and host in ("127.0.0.1", "localhost", "::1")):
            return parts
        raise refused
    known = any(host == name or (name.startswith(".") and host.endswith(name)) for name in _SERVICES)
    if parts.scheme != "https" or port not in (None, 443) or not known:
        raise refused
    return parts


def _looked_up(parts: SplitResult) -> str:
    """The address of its host, looked up once; only the operator's own hosts may be private."""
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise SendFailed(f"The name {parts.hostname} of the push service was not found.") from error
    ip = str(found[0][4][0]).partition("%")[0]
    named = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    if not ipaddress.ip_address(ip).is_global and named not in settings.PUSH_HOSTS:
        raise SendFailed(f"{parts.hostname} leads to a private address; nothing was sent.")
    return ip


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def label_of(agent: str) -> str:
    """Which browser it is, in words, from its User-Agent: for people to tell their devices apart."""
    browser = next((word for mark, word in _BROWSERS if mark in agent), "Browser")
    system = next((word for mark, word in _SYSTEMS if mark in agent), "")
    return f"{browser} · {system}" if system else browser


_BROWSERS: Final = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS X", "Mac"), ("Windows", "Windows"),
    ("Linux", "Linux"),
)  # fmt: skip
