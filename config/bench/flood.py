"""The workload `flood`: 10,000 events a second for ten seconds, many tabs, one real browser on a slow processor.

Events are written straight into the log, a hundred at a time, as no engine on two cores can beside a browser; all after
that is the product: sequencer, hub, sockets, pages. A few runs are worked meanwhile, so that pages have something new
to show. The browser is left out where there is none.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
import psycopg
from django.conf import settings
from django.contrib.auth.models import User

from approvals import access
from approvals.models import Profile
from config.bench import browser, definitions
from config.bench.desk import session_of
from config.bench.live import Tabs, most_within_a_second, tabs_of
from config.bench.measure import Result, cpu_s, peak_rss_mb
from config.bench.plan import Bench
from config.bench.stack import ROOT, Stack
from orchestrator import db

EVENTS_PER_S: Final = 10_000
SECONDS: Final = 10.0
TABS: Final = 50
SLOWER: Final = 4
RUNS_PER_S: Final = 2.0
_AT_ONCE: Final = 100
_WARM_UP_S: Final = 3.0
_PATIENCE_S: Final = 30.0
_WRITE: Final = """
INSERT INTO orchestrator_event (kind, actor, run_id, data)
SELECT 'run.priority_changed', 'feed', %s, jsonb_build_object('number', n) FROM generate_series(1, %s) n
"""


class Browser:
    """The process that holds the page."""

    def __init__(self, stack: Stack, user: User) -> None:
        command = [sys.executable, "-m", "config.bench.browser"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        cookie = [settings.SESSION_COOKIE_NAME, session_of(user)]
        address = f"http://127.0.0.1:{stack.web_port}"
        self.ask(orjson.dumps({"address": address, "cookie": cookie, "path": "/", "slower": SLOWER}).decode())

    def ask(self, what: str) -> Any:
        """One of the questions of `config.bench.browser`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(what.encode() + b"\n")
        self._process.stdin.flush()
        return orjson.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it; the browser with it."""
        self._process.communicate()


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and how long the newest state took to reach everybody after the last of it."""

    events_per_s: float
    cores: float
    tabs_behind_s: float
    page_behind_s: float
    seconds: float  # until everybody had the newest state


def flood(bench: Bench) -> Result:
    """Frames a second at most, how far open pages are behind in the end, and the browser's memory after over before."""
    seconds = SECONDS if bench.scale >= 1 else max(2.0, SECONDS * bench.scale)
    with bench.running("flood") as stack:
        stack.publish("short", definitions.chain("short", 4))
        stack.collect_static()
        stack.serve()
        began = time.time()
        with _open_tabs(stack, bench.scaled(TABS), since=began) as tabs, _open_page(stack) as page:
            bench.say(f"flood: {tabs.count} tabs{' and a slow browser' if page else ''} open; few events first")
            _work(stack, _WARM_UP_S)
            tabs.ask("forget")
            before = page.ask("begin") if page else {}
            bench.say(f"flood: {EVENTS_PER_S:,} events a second for {seconds:.0f} s")
            written = _flood(stack, tabs, page, seconds)
            heard = tabs.ask("heard")
            after = page.ask("end") if page else {}
        most = max(most_within_a_second([at for _pos, at in tab["frames"]]) for tab in heard)
        figures = {
            "events_per_s": written.events_per_s, "most_frames_per_s": most, "behind_s": written.tabs_behind_s,
            "web_cores": written.cores, **_of_page(before, after, written),
        }  # fmt: skip
        result = bench.result(
            stack,
            parameters={"tabs": tabs.count, "events_wanted_per_s": EVENTS_PER_S, "slower": SLOWER if page else 0},
            seconds=seconds,
            figures=figures,
            spread={},
            basis_ms=written.tabs_behind_s * 1000,
        )
        return replace(result, peak_rss_mb=peak_rss_mb(stack.web_pid()))  # the web process', not the workers'


def _of_page(before: dict[str, Any], after: dict[str, Any], written: Written) -> dict[str, float]:
    """What the browser says; nothing without one."""
    if not after:
        return {}
    return {
        # Over all of it: when each came is noted by the slow page itself, several at once after a long turn.
        "browser_frames_per_s": len(after["frames"]) / written.seconds,
        "browser_behind_s": written.page_behind_s,
        "heap_mb": after["heap_mb"],
        "heap_growth": after["heap_mb"] / before["heap_mb"],
        "elements_growth": after["elements"] / before["elements"],
    }


@contextmanager
def _open_tabs(stack: Stack, count: int, *, since: float) -> Iterator[Tabs]:
    opened = Tabs(stack.web_port, tabs_of(count))
    try:
        stack.until(lambda: opened.all_joined(since=since), what="every tab is joined", seconds=_PATIENCE_S, pause=0.1)
        yield opened
    finally:
        opened.close()


@contextmanager
def _open_page(stack: Stack) -> Iterator[Browser | None]:
    """The floor as a manager sees it; None where there is no browser."""
    if not browser.is_here():
        yield None
        return
    user = User.objects.create_user("bench-manager")
    Profile.objects.create(user=user, title="Somebody with an old laptop")
    access.set_role(user_id=user.pk, role="Workflow Orchestration Manager", by=None)
    opened = Browser(stack, user)
    try:
        yield opened
    finally:
        opened.close()


def _work(stack: Stack, seconds: float) -> Sequence[int]:
    """Start a run now and then, and wait for all."""
    began, runs = time.monotonic(), list[int]()
    for number in range(round(RUNS_PER_S * seconds)):
        time.sleep(max(0.0, began + number / RUNS_PER_S - time.monotonic()))
        runs += stack.submit("short")[0]
    stack.finish(runs)
    return runs


def _flood(stack: Stack, tabs: Tabs, page: Browser | None, seconds: float) -> Written:
    about = stack.submit("short")[0][0]
    first: int = stack.value("SELECT coalesce(max(id), 0) FROM orchestrator_event")
    before, began = cpu_s(stack.web_pid()), time.monotonic()
    with ThreadPoolExecutor(max_workers=1) as pool:
        writing = pool.submit(_write, about, seconds)
        _work(stack, seconds)
        writing.result()
    took, ended = time.monotonic() - began, time.monotonic()
    cores = (cpu_s(stack.web_pid()) - before) / took
    last: int = stack.value("SELECT max(id) FROM orchestrator_event")
    stack.quiet()
    head: int = stack.value("SELECT max(pos) FROM orchestrator_ledger")
    stack.until(
        lambda: _have_heard(tabs, head), what="every tab has heard of the last event", seconds=_PATIENCE_S, pause=0.1
    )
    tabs_behind = time.monotonic() - ended
    if page:
        stack.until(lambda: page.ask(f"shown #event-{head}"), what="the page shows the last event", seconds=_PATIENCE_S)
    now = time.monotonic()
    return Written((last - first) / took, cores, tabs_behind, now - ended, now - began)


def _write(about: int, seconds: float) -> None:
    with psycopg.connect(**db.connection_parameters()) as writer:
        began, turns = time.monotonic(), EVENTS_PER_S // _AT_ONCE
        for number in range(round(turns * seconds)):
            time.sleep(max(0.0, began + number / turns - time.monotonic()))
            writer.execute(_WRITE, [about, _AT_ONCE])


def _have_heard(tabs: Tabs, head: int) -> bool:
    """Whether each tab whose page tells of runs has heard of the last event."""
    told = [tab for tab in tabs.ask("heard") if "runs" in tab["topics"] or "floor" in tab["topics"]]
    return all(tab["frames"] and tab["frames"][-1][0] >= head for tab in told)
