"""One open page in a real browser on a slow processor: `python -m config.bench.browser`, driven by lines of JSON.

A process of its own: the browser's driver leaves an event loop running. It needs Playwright and a Chromium
(`CHROMIUM`, or one on the path); `is_here` says whether both are there. The first line says where and who:
`{"address": ..., "cookie": [name, value], "path": ..., "slower": 4}`; it is answered when the page is connected. Then
`begin` forgets what came and says what memory the page holds, `end` says what came and what it holds now, `shown` with
a selector whether there is such an element.
"""

import importlib.util
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

_NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_PATIENCE_MS: Final = 30_000


def is_here() -> bool:
    """Whether a browser can be driven on this machine."""
    return bool(_chromium()) and importlib.util.find_spec("playwright") is not None


def _chromium() -> str:
    return os.environ.get("CHROMIUM", "") or next((path for name in _NAMES if (path := shutil.which(name))), "")


class _Slow:
    """The page: up to which place each frame of its socket tells, and what memory it holds."""

    def __init__(self, page: "Page", slower: float) -> None:
        self._page = page
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._frames: list[int] = []
        self._session.on("Network.webSocketFrameReceived", self._note)
        self._session.send("Network.enable")
        self._session.send("HeapProfiler.enable")
        self._session.send("Emulation.setCPUThrottlingRate", {"rate": slower})

    def _note(self, told: dict[str, Any]) -> None:
        message = orjson.loads(told["response"]["payloadData"])
        if message["type"] == "changed":
            self._frames.append(message["pos"])

    def answer(self, asked: str) -> object:
        """One of the questions."""
        self._page.wait_for_timeout(1)  # what has come meanwhile is noted now
        what, _, selector = asked.partition(" ")
        if what == "shown":
            return self._page.locator(selector).count() > 0
        if what == "begin":
            self._frames = []
        return {"frames": self._frames, **self._memory()}

    def _memory(self) -> dict[str, float]:
        self._session.send("HeapProfiler.collectGarbage")
        used = self._session.send("Runtime.getHeapUsage")["usedSize"]
        return {"heap_mb": used / 1e6, "elements": self._session.send("Memory.getDOMCounters")["nodes"]}


def _serve() -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is installed

    told = orjson.loads(sys.stdin.readline())
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=_chromium(), args=_FLAGS)
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        name, value = told["cookie"]
        context.add_cookies([{"name": name, "value": value, "url": told["address"]}])
        page = context.new_page()
        page.goto(told["address"] + told["path"])
        page.wait_for_selector("html[data-live=live]", timeout=_PATIENCE_MS)
        slow = _Slow(page, told["slower"])
        _say({})
        while line := sys.stdin.readline():
            _say(slow.answer(line.strip()))
        chromium.close()


def _say(what: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
