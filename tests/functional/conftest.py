"""A real browser against the whole product: ASGI server, sockets, and a sequencer that seals as in production."""

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
import pytest
import uvicorn
from axe_playwright_python.base import AXE_SCRIPT
from channels.routing import ProtocolTypeRouter
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.test import Client
from playwright.sync_api import APIResponse, BrowserContext, Page, Request, Route, expect

from approvals import access
from approvals.roles import ROLES
from monitoring.routing import websocket_application
from orchestrator import sequencer
from orchestrator.models import Event, LedgerEntry
from tests import factories, people

# Playwright's synchronous interface runs an event loop in the test's thread, where Django would refuse to query.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

# How long a claim may take to become true, and an act to be possible: long, because it only matters when it is false
# or the machine is busy.
PATIENCE = 20
expect.set_options(timeout=PATIENCE * 1000)

SEAL_PAUSE = 0.05
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium, quiet and without a sandbox: tests may run as root."""
    quiet = ("quic", "background-networking", "component-update", "sync")
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    return {"executable_path": os.environ.get("CHROMIUM", "/usr/bin/chromium"), "args": flags}


class Site:
    """The running product as a test sees it."""

    def __init__(self) -> None:
        self._server, self._thread = self._serve(0)
        self._port: int = self._server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"

    def start_again(self) -> None:
        """Start the web server that was ended, at the same address."""
        self._server, self._thread = self._serve(self._port)

    def stop(self) -> None:
        """End the web server, as an operator does: sockets are closed, requests under way are finished."""
        # A request cut off halfway would leave its database connection open behind it.
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _serve(self, port: int) -> tuple[uvicorn.Server, threading.Thread]:
        application = ProtocolTypeRouter({"http": _patient(get_asgi_application()), "websocket": websocket_application})
        config = uvicorn.Config(application, host="127.0.0.1", port=port, lifespan="off", log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        until(lambda: server.started, what="the server is up")
        return server, thread

    def enter(self, page: Page, user: User, path: str = "/") -> None:
        """Be signed in as `user` and open a page."""
        client = Client()
        client.force_login(user, backend=BACKEND)
        page.context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": self.address}]
        )
        page.goto(self.address + path)


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    """A server on the test's database."""
    stop = threading.Event()
    sealing = threading.Thread(target=_seal, args=[stop])
    sealing.start()
    running = Site()
    yield running
    running.stop()
    stop.set()
    sealing.join(10)
    assert not sealing.is_alive()


@pytest.fixture
def context(context: BrowserContext) -> Iterator[BrowserContext]:
    """Every page of every test: no script error and nothing that the content security policy had to refuse."""
    problems: list[str] = []
    context.set_default_timeout(PATIENCE * 1000)
    _count_requests(context, _under_way.setdefault(context, set()))
    context.on("weberror", lambda error: problems.append(str(error.error)))
    context.on(
        "console", lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None
    )
    yield context
    assert problems == []


@pytest.fixture
def vera(transactional_db: None) -> User:
    """Whoever looks: sees everything and may do everything, so no part of a page is missing."""
    made = factories.user("vera", *ROLES, first_name="Vera")
    access.grant(to=made, permission="decide_gates", on=people.queue(), by=None)
    return made


@pytest.fixture
def otto(vera: User) -> User:
    """Whoever acts meanwhile."""
    made = factories.user("otto", *ROLES, first_name="Otto")
    access.grant(to=made, permission="decide_gates", on=people.queue(), by=None)
    return made


def until(claim: Callable[[], object], *, what: str, seconds: float = PATIENCE) -> None:
    """Poll until a claim is true.

    Playwright hands over held requests and events only while it is asked something: such a claim has to ask a page.
    """
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def sealed() -> None:
    """Return once the site's sequencer has sealed every event; one of a test's own would get in its way."""
    sealed_ids = LedgerEntry.objects.values("event_id")
    until(lambda: not Event.objects.exclude(pk__in=sealed_ids).exists(), what="every event is sealed")


_under_way: WeakKeyDictionary[BrowserContext, set[Request]] = WeakKeyDictionary()


def _count_requests(context: BrowserContext, under_way: set[Request]) -> None:
    def begun(request: Request) -> None:
        under_way.add(request)

    def ended(request: Request) -> None:
        under_way.discard(request)

    context.on("request", begun)
    context.on("requestfinished", ended)
    context.on("requestfailed", ended)


def at_rest(page: Page) -> None:
    """Return once a page has loaded, with all that it asks for by itself."""
    page.wait_for_load_state("load")
    until(lambda: page.evaluate("1") and not _under_way[page.context], what="no request is under way")


class Held:
    """Requests to an address that are held back: answered by the server at once, by the browser's wire when let go."""

    def __init__(self, page: Page, address: str) -> None:
        self._page = page
        self._answers: list[tuple[Route, APIResponse]] = []
        self._has_one = False  # set before the server is asked: meanwhile other requests come by
        page.route(re.compile(address), self._hold)

    def _hold(self, route: Route) -> None:
        if "hx-request" not in route.request.headers or self._has_one:
            return route.continue_()
        self._has_one = True
        self._answers.append((route, route.fetch()))
        return None

    def wait(self) -> None:
        """Return once a request is held and the server's answer to it is made."""
        until(lambda: self._page.evaluate("1") and self._answers, what="a request is held")

    def let_go(self) -> None:
        [(route, answer)] = self._answers
        route.fulfill(response=answer)


def serious_problems(page: Page) -> list[str]:
    """What axe finds that would keep someone out."""
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(AXE_SCRIPT)
    # What it has not found is ten times as much to hand over.
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(found => found.violations)")
    return [
        f"{problem['id']}: {[node['target'] for node in problem['nodes']]}"
        for problem in found
        if problem["impact"] in {"serious", "critical"}
    ]


def _patient(application: Any) -> Any:
    """The application, finishing each request even when a page that closes no longer wants the answer.

    Django lets go of such a request while its view still runs, and nothing closes that view's database connection.
    """

    async def call(scope: Any, receive: Any, send: Any) -> None:
        async def heard() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect":
                await asyncio.Event().wait()
            return message

        await application(scope, heard, send)

    return call


def _seal(stop: threading.Event) -> None:
    """As the control worker does: a leader that was kept waiting for three seconds is replaced."""
    while not stop.is_set():
        with suppress(psycopg.OperationalError), sequencer.connect() as connection:
            while not stop.wait(SEAL_PAUSE):
                sequencer.seal_all(connection)
