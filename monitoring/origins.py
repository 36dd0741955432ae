"""Lets a WebSocket handshake pass only from our own pages: a browser sends cookies from anybody's page."""

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host


class OwnOriginOnly:
    """ASGI middleware that refuses a handshake whose Origin is not exactly this server's scheme, host and port."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._denier = WebsocketDenier()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Pass the handshake on, or answer 403."""
        headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        origins = [value for name, value in headers if name == b"origin"]
        hosts = [value for name, value in headers if name == b"host"]
        secure = scope.get("scheme") == "wss"
        if len(origins) == 1 and len(hosts) == 1 and is_own_origin(origins[0], host=hosts[0], secure=secure):
            return await self._application(scope, receive, send)
        return await self._denier(scope, receive, send)


def is_own_origin(origin: str, *, host: str, secure: bool) -> bool:
    """Whether a page from `origin` is one of ours.

    With PUBLIC_ORIGINS that list decides. Without it, the origin must be the very host the request was sent to, and
    that host one of ALLOWED_HOSTS: or any other name that is made to resolve to us would do.
    """
    if settings.PUBLIC_ORIGINS:
        return origin in settings.PUBLIC_ORIGINS
    domain, _ = split_domain_port(host.lower())
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    scheme = "https" if secure or settings.SESSION_COOKIE_SECURE else "http"
    return _parts(origin) is not None and _parts(origin) == _parts(f"{scheme}://{host}")


def _parts(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a bare origin; None for anything with more to it, or less."""
    try:
        url = urlsplit(origin)
        port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    except ValueError:
        return None
    is_bare = not (url.path or url.query or url.fragment or "@" in url.netloc)
    return (url.scheme, url.hostname, port) if is_bare and url.hostname and port else None
