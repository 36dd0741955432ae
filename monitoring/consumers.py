"""The live socket: says which topics changed. It takes subscriptions only; decisions travel by HTTP POST."""

import asyncio
import contextlib
import time
from typing import Any, Final

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.models import User

from monitoring import admission, hub
from monitoring.admission import Ticket
from monitoring.hub import Hub, Listener

MAX_FRAME: Final = 4_096
MAX_TOPICS: Final = 30
MAX_SOCKETS: Final = 10  # of one user in one process
MAX_AGE: Final = 12 * 3600.0
RATE: Final = 5.0  # frames a second, after a burst
BURST: Final = 30.0

SIGNED_OUT: Final = 4401
TOO_OLD: Final = 4408
TOO_LARGE: Final = 4413
TOO_MANY: Final = 4429


class Allowance:
    """A token bucket for what one browser may send."""

    def __init__(self) -> None:
        self._left = BURST
        self._at = time.monotonic()

    def take(self) -> bool:
        """Use one; False when there is none left."""
        now = time.monotonic()
        self._left = min(BURST, self._left + (now - self._at) * RATE)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """One browser tab. Accepts first and closes then, because a refused handshake tells a browser nothing."""

    _hub: Hub
    _listener: Listener | None = None
    _tasks: tuple[asyncio.Task[None], ...] = ()

    async def connect(self) -> None:
        """Let a signed-in user in, with at most ten sockets."""
        await self.accept()
        user = self.scope.get("user")
        session_key = self.scope["session"].session_key
        if not isinstance(user, User) or not user.is_active or not session_key:
            await self.close(SIGNED_OUT)
            return
        self._user, self._allowance = user, Allowance()
        self._hub = await hub.current()
        if self._hub.count(user.pk) >= MAX_SOCKETS:
            await self.close(TOO_MANY)
            return
        self._listener = Listener(Ticket(user.pk, session_key, user.password), self.send, self.close)
        self._hub.add(self._listener)
        self._tasks = (asyncio.create_task(self._pump(self._listener)), asyncio.create_task(self._grow_old()))

    async def disconnect(self, code: int) -> None:
        """Leave nothing behind."""
        if self._listener is not None:
            self._hub.remove(self._listener)
        for task in self._tasks:
            task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Serve subscribe, unsubscribe and ping; ignore everything else."""
        if self._listener is None:
            return
        if not self._allowance.take():
            await self.close(TOO_MANY)
        elif text_data is None or len(text_data) > MAX_FRAME:
            await self.close(TOO_LARGE)
        else:
            await self._serve(self._listener, _parsed(text_data))

    async def _serve(self, listener: Listener, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "subscribe":
                await self._subscribe(listener, _names(message), _position(message))
            case "unsubscribe":
                self._hub.leave(listener, _names(message))
            case "ping":
                age = round(time.monotonic() - self._hub.fresh_at, 1)
                await self._say({"type": "pong", "pos": self._hub.pos, "age": age})

    async def _subscribe(self, listener: Listener, names: list[str], since: int | None) -> None:
        """Check, join and answer. Rights that change during the check are checked again."""
        rights = self._hub.rights_seen
        room = MAX_TOPICS - len(listener.topics)
        wanted = [name for name in names if name not in listener.topics][: max(room, 0)]
        granted = await database_sync_to_async(admission.admitted)(self._user, wanted)
        kept = granted | (listener.topics & set(names))
        changed = self._hub.join(listener, kept, since=since)
        if self._hub.rights_seen != rights:
            self._hub.suspect(listener.ticket.user_id)
        answer = {"topics": sorted(kept), "refused": sorted(set(names) - kept), "regions": sorted(changed)}
        await self._say({"type": "subscribed", "pos": self._hub.pos, **answer})

    async def _pump(self, listener: Listener) -> None:
        with contextlib.suppress(RuntimeError):  # the server closed the socket under a frame
            await self._hub.pump(listener)

    async def _grow_old(self) -> None:
        await asyncio.sleep(MAX_AGE)
        await self.close(TOO_OLD)

    async def _say(self, message: dict[str, Any]) -> None:
        await self.send(orjson.dumps(message).decode())


def _parsed(text: str) -> dict[str, Any]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}


def _names(message: dict[str, Any]) -> list[str]:
    names = message.get("topics")
    return [name for name in names if isinstance(name, str)][:MAX_TOPICS] if isinstance(names, list) else []


def _position(message: dict[str, Any]) -> int | None:
    since = message.get("since")
    return since if isinstance(since, int) and not isinstance(since, bool) else None
