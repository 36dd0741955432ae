"""The server over streamable HTTP at /mcp: a bearer token with every request, checked before MCP sees it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

import orjson
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from mcp.server.transport_security import TransportSecuritySettings

from config.api.auth import Bearer
from config.mcp_server import PATH, tools
from orchestrator.errors import OrchestratorError

MAX_BODY: Final = 1_000_000
_bearer: Final = Bearer()

type Scope = MutableMapping[str, Any]
type App = Callable[[Scope, Any, Any], Awaitable[None]]
_apps: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[App, asyncio.Task[None]]] = WeakKeyDictionary()


async def serve(scope: Scope, receive: Any, send: Any) -> None:
    """One HTTP request."""
    secret = _secret(scope)
    who = partial(_owner, secret, str((scope.get("client") or ("",))[0]))
    try:
        await tools.in_thread(who)
    except OrchestratorError as refusal:
        await _refuse(send, refusal)
        return
    # Asked again by every tool: a token that is revoked while somebody waits opens nothing more.
    scope = {**scope, "watchkeeper_user": who}
    app = await _running()
    await app(scope, receive, send)


def _owner(secret: str, address: str) -> User:
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = address
    return _bearer.authenticate(request, secret)


def _secret(scope: Scope) -> str:
    sent = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
    kind, _, secret = sent.partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


async def _running() -> App:
    """This loop's app. ASGI's lifespan is not served here, so its background task starts with the first request."""
    loop = asyncio.get_running_loop()
    if loop not in _apps:
        app = tools.server().streamable_http_app(
            streamable_http_path=PATH, stateless_http=True, json_response=True, max_request_body_size=MAX_BODY,
            transport_security=_hosts(),
        )  # fmt: skip
        ready = asyncio.Event()
        _apps[loop] = (app, asyncio.create_task(_live(app, ready)))
        await ready.wait()
    return _apps[loop][0]


async def _live(app: Any, ready: asyncio.Event) -> None:
    async with app.router.lifespan_context(app):
        ready.set()
        await asyncio.Event().wait()


def _hosts() -> TransportSecuritySettings:
    hosts = [form for host in settings.ALLOWED_HOSTS for form in (host, f"{host}:*")]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=list(settings.PUBLIC_ORIGINS))


async def _refuse(send: Any, refusal: OrchestratorError) -> None:
    body = {"error": {"code": refusal.code, "message": str(refusal), "remedy": "send Authorization: Bearer wk_..."}}
    headers = [(b"content-type", b"application/json"), (b"www-authenticate", b'Bearer realm="watchkeeper"')]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(body)})
