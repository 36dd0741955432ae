"""Where remote agents may live: hosts that the operator names, at addresses that are looked up once and then kept.

`REMOTE_AGENT_HOSTS=agents.example.com,10.0.0.7:8443` names hosts, with a port unless it is the scheme's own. A name
that leads to a private address is refused unless `REMOTE_AGENT_NETWORKS=10.0.0.0/8` covers it; a host that is named by
its address stands for itself. Plain http is for addresses of this machine alone.
"""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from agents.errors import Permanent, Transient

_PORTS = {"https": 443, "http": 80}
CODE = "remote_not_allowed"


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked address: connect to `ip`, but speak to `host`."""

    url: str
    host: str  # as its certificate and its Host header name it
    ip: str

    @property
    def pinned(self) -> str:
        """The URL with the address in place of the name: nobody looks the name up again."""
        parts = urlsplit(self.url)
        literal = f"[{self.ip}]" if ":" in self.ip else self.ip
        netloc = f"{literal}:{parts.port}" if parts.port else literal
        return parts._replace(netloc=netloc).geturl()

    @property
    def authority(self) -> str:
        """The Host header."""
        return urlsplit(self.url).netloc


async def resolve(url: str) -> Destination:
    """Check a URL against the operator's list and look its host up. Raises Permanent and Transient."""
    parts = _checked(url)
    assert parts.hostname is not None
    port = parts.port or _PORTS[parts.scheme]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Transient(f"The name {parts.hostname} of a remote agent was not found.", code="connection") from error
    ip = str(found[0][4][0]).partition("%")[0]
    _check_address(parts, ip)
    return Destination(url, parts.hostname, ip)


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Permanent("The address of a remote agent cannot be read.", code=CODE) from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.password:
        raise Permanent("A remote agent's address must be https://host/path, without a password.", code=CODE)
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    own_port = port in (None, _PORTS[parts.scheme])
    allowed = {f"{name}:{port}"} | ({name} if own_port else set())
    if not allowed & {host.lower() for host in settings.REMOTE_AGENT_HOSTS}:
        message = f"{name} is not among REMOTE_AGENT_HOSTS; have the operator add it, with its port."
        raise Permanent(message, code=CODE)
    return parts


def _check_address(parts: SplitResult, ip: str) -> None:
    address = ipaddress.ip_address(ip)
    if parts.scheme == "http" and not address.is_loopback:
        raise Permanent("A remote agent on another machine is reached by https only.", code=CODE)
    named_itself = parts.hostname == ip
    networks = [ipaddress.ip_network(text) for text in settings.REMOTE_AGENT_NETWORKS]
    if not (address.is_global or named_itself or any(address in network for network in networks)):
        message = f"{parts.hostname} leads to a private address; have the operator add it to REMOTE_AGENT_NETWORKS."
        raise Permanent(message, code=CODE)
