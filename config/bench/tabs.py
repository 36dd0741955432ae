"""Many open tabs without a browser: `python -m config.bench.tabs`, driven by lines of JSON. A process of its own.

The first line says where and who: `{"address": ..., "origin": ..., "tabs": [{"cookie": ..., "topics": [...]}]}`. Each
tab does what `static/js/live.js` does: connects, subscribes with the position it has, hears frames, and comes back with
jittered back-off when the server is gone. Then a line `joined` is answered with how many tabs hear and since when,
`forget` drops what was heard, `heard` answers it: for each tab its topics and when each position arrived.
"""

import asyncio
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

_SLOWEST_RETRY_S: Final = 15.0
_FIRST_RETRY_S: Final = 0.25


@dataclass(slots=True)
class Tab:
    """One open page: what it listens to, and each frame's position with the time it came (seconds since 1970)."""

    cookie: str
    topics: list[str]
    pos: int | None = None
    joined_at: float = 0.0  # 0: not connected
    granted: list[str] = field(default_factory=list)
    frames: list[tuple[int, float]] = field(default_factory=list)

    async def stay_open(self, address: str, origin: str) -> None:
        """Be connected for ever, as a page is."""
        failures = 0
        while True:
            try:
                async with connect(
                    address, origin=origin, additional_headers={"Cookie": self.cookie}, open_timeout=60  # type: ignore[arg-type]
                ) as socket:  # fmt: skip
                    await self._listen(socket)
                    failures = 0
            except (OSError, WebSocketException, TimeoutError):
                pass
            if self.joined_at:
                failures, self.joined_at = 0, 0.0
            failures += 1
            longest = min(_SLOWEST_RETRY_S, _FIRST_RETRY_S * 2 ** min(failures, 8))
            await asyncio.sleep(longest * (0.5 + random.random() / 2))

    async def _listen(self, socket: ClientConnection) -> None:
        said: dict[str, Any] = {"type": "subscribe", "topics": self.topics}
        await socket.send(orjson.dumps(said if self.pos is None else {**said, "since": self.pos}).decode())
        async for text in socket:
            message = orjson.loads(text)
            self.pos = max(self.pos or 0, message.get("pos", 0))
            if message["type"] == "subscribed":
                self.granted, self.joined_at = message["topics"], time.time()
            elif message["type"] == "changed":
                self.frames.append((message["pos"], time.time()))


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    told = orjson.loads(await loop.run_in_executor(None, sys.stdin.readline))
    tabs = [Tab(one["cookie"], one["topics"]) for one in told["tabs"]]
    async with asyncio.TaskGroup() as group:
        open_ones = [group.create_task(tab.stay_open(told["address"], told["origin"])) for tab in tabs]
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            _say(_answer(line.strip(), tabs))
        for one in open_ones:
            one.cancel()


def _answer(asked: str, tabs: list[Tab]) -> object:
    if asked == "joined":
        times = [tab.joined_at for tab in tabs if tab.joined_at]
        return {"joined": len(times), "last_at": max(times, default=0.0)}
    if asked == "forget":
        for tab in tabs:
            tab.frames = []
        return {}
    return [{"topics": tab.granted, "frames": tab.frames} for tab in tabs]


def _say(what: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(_serve())
