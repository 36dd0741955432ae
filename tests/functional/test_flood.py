"""Thousands of events a second and a slow processor: few frames, no memory kept, and in the end the newest state."""

import json
import threading
import time

import psycopg
from django.contrib.auth.models import User
from django.db import connection
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from orchestrator import ledger
from orchestrator.models import Run
from tests import people
from tests.fresh import Watch
from tests.functional.conftest import Site, at_rest, sealed

EVENTS_PER_S = 2_500
SECONDS = 2.0
SLOWER = 4  # than the machine
MOST_FRAMES = 4
WRITE = """
INSERT INTO orchestrator_event (kind, actor, run_id, data)
SELECT 'run.priority_changed', 'user:otto', %s, jsonb_build_object('number', n) FROM generate_series(1, %s) n
"""


class Slow:
    """A page on a slow processor: what its socket brings, and the memory that it holds."""

    def __init__(self, page: Page) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)
        self.frames: list[int] = []  # up to which place each tells
        self._session.on("Network.webSocketFrameReceived", self._note)
        self._session.send("Network.enable")
        self._session.send("HeapProfiler.enable")

    def slow_down(self, rate: float = SLOWER) -> None:
        self._session.send("Emulation.setCPUThrottlingRate", {"rate": rate})

    def _note(self, told: dict) -> None:
        message = json.loads(told["response"]["payloadData"])
        if message["type"] == "changed":
            self.frames.append(message["pos"])

    def heap_mb(self) -> float:
        self._session.send("HeapProfiler.collectGarbage")
        return float(self._session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6

    def elements(self) -> int:
        return int(self._session.send("Memory.getDOMCounters")["nodes"])


def flood(run: Run) -> threading.Thread:
    """Write events at a steady rate, as another process would."""
    parameters = connection.get_connection_params()
    wanted = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if parameters.get(name)}

    def write() -> None:
        with psycopg.connect(**wanted, autocommit=True) as writer:
            began = time.monotonic()
            for number in range(round(SECONDS * 50)):
                time.sleep(max(0.0, began + number / 50 - time.monotonic()))
                writer.execute(WRITE, [run.pk, EVENTS_PER_S // 50])

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_flood_of_events_costs_a_slow_browser_four_frames_a_second_and_no_memory(
    site: Site, page: Page, context: BrowserContext, vera: User, otto: User
) -> None:
    run = people.run(by=otto)
    site.enter(page, vera, "/")
    expect(page.locator("html")).to_have_attribute("data-live", "live")
    slow = Slow(page)
    slow.slow_down()
    people.run(by=otto)  # every region has been fetched once before memory is looked at
    expect(page.locator("#floor-events")).to_contain_text("started")
    at_rest(page)
    heap, elements = slow.heap_mb(), slow.elements()
    slow.frames.clear()

    began = time.monotonic()
    writing = flood(run)
    while writing.is_alive():
        page.wait_for_timeout(100)
    sealed()
    head = ledger.head()
    expect(page.locator(f"#event-{head}")).to_be_visible()

    assert slow.frames[-1] == head
    # Over all of it: when each came is noted by the slow page itself, which notes several at once after a long turn.
    assert len(slow.frames) <= MOST_FRAMES * (time.monotonic() - began)
    at_rest(page)
    assert slow.heap_mb() <= heap * 1.1 + 0.5
    assert slow.elements() <= elements * 1.1 + 500
    slow.slow_down(1)
    _wanted, difference = Watch(context).compare(page)
    assert not difference, difference
