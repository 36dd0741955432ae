"""The workload `live`: 500 open tabs on one web process while 2,000 events a second flow, then a storm of all of them.

Tabs are real sockets with sessions of people of all nine roles, on different pages; events are the engine's own, of
runs that are worked meanwhile. A time is from an event's own (the database's, before its commit) to the frame that
tells of it.
"""

import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from django.conf import settings
from django.contrib.auth.models import User

from approvals import access
from approvals.models import Profile
from approvals.roles import ROLES
from config.bench import definitions
from config.bench.desk import session_of
from config.bench.measure import Result, cpu_s, peak_rss_mb, percentile
from config.bench.plan import Bench
from config.bench.stack import ROOT, Stack, TookTooLong
from monitoring import topics
from orchestrator.ledger import SealedEvent

SOCKETS: Final = 500
EACH: Final = 8  # tabs that one person has open; ten are allowed
EVENTS_PER_S: Final = 2_000.0
SECONDS: Final = 15.0
QUIET_EVENTS_PER_S: Final = 20.0
QUIET_SECONDS: Final = 8.0
SAMPLED: Final = 400  # events of each stretch whose way to every tab is looked at
_WIDTH: Final = 20
_WIDE_EVENTS: Final = 2 * (_WIDTH + 2) + 2  # of a run: started and ended, and each of its tasks likewise
_SHORT_EVENTS: Final = 2 * 4 + 2
_STORM_S: Final = 60.0
# What a page listens to beside what its frame does.
_FRAME: Final = ("shell", "alerts", "notices")
_PAGES: Final = ("floor agents", "inbox", "runs", "workflows runs", "agents", "audit", "runs agents")


@dataclass(frozen=True, slots=True)
class Heard:
    """What one stretch gave: milliseconds from events to tabs, what came a second, and how many cores the web took."""

    delays: list[float]
    events_per_s: float
    most_frames_per_s: float
    cores: float


class Tabs:
    """The process that holds the tabs."""

    def __init__(self, port: int, tabs: Sequence[dict[str, Any]]) -> None:
        command = [sys.executable, "-m", "config.bench.tabs"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        origin = f"http://127.0.0.1:{port}"
        self._say({"address": f"ws://127.0.0.1:{port}/ws/live", "origin": origin, "tabs": list(tabs)})
        self.count = len(tabs)

    def all_joined(self, *, since: float) -> float:
        """When the last tab had its answer, if all have one that came after `since`; else 0."""
        told = self.ask("joined")
        return float(told["last_at"]) if told["joined"] == self.count and told["last_at"] > since else 0.0

    def ask(self, what: str) -> Any:
        """One of the questions of `config.bench.tabs`."""
        self._say(what)
        assert self._process.stdout is not None
        return orjson.loads(self._process.stdout.readline())

    def close(self) -> None:
        """Close them all."""
        self._process.kill()
        self._process.communicate()

    def _say(self, what: object) -> None:
        assert self._process.stdin is not None
        line = what.encode() if isinstance(what, str) else orjson.dumps(what)
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()


def live(bench: Bench) -> Result:
    """Event to browser: p50 and p95 while 2,000 events a second flow, p99 at 20; the storm of tabs after a restart."""
    count, seconds = bench.scaled(SOCKETS), SECONDS if bench.scale >= 1 else max(3.0, SECONDS * bench.scale)
    with bench.running("live") as stack:
        stack.publish("wide", definitions.fan("wide", _WIDTH))
        stack.publish("short", definitions.chain("short", 4))
        stack.serve()
        began = time.time()
        with _open(stack, tabs_of(count)) as tabs:
            opened = _wait_for_all(stack, tabs, since=began)
            bench.say(f"live: {count} tabs open after {opened - began:.1f} s; few events for {QUIET_SECONDS:.0f} s")
            quiet = _stretch(stack, tabs, "short", QUIET_EVENTS_PER_S / _SHORT_EVENTS, QUIET_SECONDS)
            bench.say(f"live: many events for {seconds:.0f} s")
            busy = _stretch(stack, tabs, "wide", EVENTS_PER_S / _WIDE_EVENTS, seconds)
            rss = peak_rss_mb(stack.web_pid())
            bench.say("live: the web process is killed and comes back")
            storm = _storm(stack, tabs)
            rss = max(rss, peak_rss_mb(stack.web_pid()))
        more = {"open_s": opened - began, "storm_s": storm, **_figures(busy), **_quietly(quiet)}
        result = bench.result(
            stack,
            parameters={"sockets": count, "people": -(-count // EACH), "events_wanted_per_s": EVENTS_PER_S},
            seconds=seconds,
            figures=more,
            spread={"p50_ms": (min(busy.delays), max(busy.delays))},
            basis_ms=more["p50_ms"],
        )
        return replace(result, peak_rss_mb=rss)  # the web process', not the workers'


def _figures(busy: Heard) -> dict[str, float]:
    return {
        "p50_ms": percentile(busy.delays, 0.5),
        "p95_ms": percentile(busy.delays, 0.95),
        "p99_ms": percentile(busy.delays, 0.99),
        "events_per_s": busy.events_per_s,
        "most_frames_per_s": busy.most_frames_per_s,
        "web_cores": busy.cores,
    }


def _quietly(quiet: Heard) -> dict[str, float]:
    return {"quiet_p50_ms": percentile(quiet.delays, 0.5), "quiet_p99_ms": percentile(quiet.delays, 0.99)}


def tabs_of(count: int) -> list[dict[str, Any]]:
    """Tabs of people of all roles, on all pages."""
    tabs: list[dict[str, Any]] = []
    for number in range(-(-count // EACH)):
        role = list(ROLES)[number % len(ROLES)]
        user = User.objects.create_user(f"bench-tab-{number}")
        Profile.objects.create(user=user, title="Somebody with many tabs")
        access.set_role(user_id=user.pk, role=role, by=None)
        cookie = f"{settings.SESSION_COOKIE_NAME}={session_of(user)}"
        pages = [_PAGES[(number + tab) % len(_PAGES)] for tab in range(EACH)]
        tabs += [{"cookie": cookie, "topics": [*_FRAME, *page.split()]} for page in pages]
    return tabs[:count]


@contextmanager
def _open(stack: Stack, tabs: list[dict[str, Any]]) -> Iterator[Tabs]:
    opened = Tabs(stack.web_port, tabs)
    try:
        yield opened
    finally:
        opened.close()


def _wait_for_all(stack: Stack, tabs: Tabs, *, since: float) -> float:
    stack.until(lambda: tabs.all_joined(since=since), what="every tab is joined", seconds=_STORM_S, pause=0.1)
    return tabs.all_joined(since=since)


def _storm(stack: Stack, tabs: Tabs) -> float:
    """Seconds from the moment that a killed web process answers again until every tab is back where it was."""
    killed = time.time()
    stack.restart_web()
    back = time.time()
    return max(0.0, _wait_for_all(stack, tabs, since=killed) - back)  # some may be back before it has told us


def _stretch(stack: Stack, tabs: Tabs, workflow: str, runs_per_s: float, seconds: float) -> Heard:
    """Start runs at a steady rate, however the earlier ones do, and see how their events reach the tabs."""
    stack.quiet()
    tabs.ask("forget")
    first: int = stack.value("SELECT coalesce(max(pos), 0) FROM orchestrator_ledger")
    before, began = cpu_s(stack.web_pid()), time.monotonic()
    runs: list[int] = []
    for number in range(round(runs_per_s * seconds)):
        time.sleep(max(0.0, began + number / runs_per_s - time.monotonic()))
        runs += stack.submit(workflow)[0]
    took = time.monotonic() - began
    cores = (cpu_s(stack.web_pid()) - before) / took
    last: int = stack.value("SELECT coalesce(max(pos), 0) FROM orchestrator_ledger")
    stack.finish(runs)
    stack.quiet()
    time.sleep(1.0)  # the last frame is out
    return _heard(stack, tabs.ask("heard"), first, last, took, cores)


def _heard(stack: Stack, told: list[dict[str, Any]], first: int, last: int, took: float, cores: float) -> Heard:
    delays: list[float] = []
    sampled = _sample(stack, first, last)
    for tab in told:
        joined, positions = frozenset(tab["topics"]), [pos for pos, _at in tab["frames"]]
        for event in sampled:
            if joined.isdisjoint(topics.topics_of(event)):
                continue
            at = bisect_left(positions, event.pos)
            if at == len(positions):
                raise TookTooLong(f"live: a tab never heard of event {event.pos} ({event.kind}).")
            delays.append((tab["frames"][at][1] - event.at.timestamp()) * 1000)
    if not delays:
        raise TookTooLong("live: no tab listens to anything that happened.")
    most = max(most_within_a_second([at for _pos, at in tab["frames"]]) for tab in told)
    return Heard(delays, (last - first) / took, most, cores)


def _sample(stack: Stack, first: int, last: int) -> list[SealedEvent]:
    step = max(1, (last - first) // SAMPLED)
    rows = stack.rows(
        "SELECT l.pos, e.id, e.run_id, e.task_id, e.kind, e.at, e.actor, e.data FROM orchestrator_ledger l"
        " JOIN orchestrator_event e ON e.id = l.event_id WHERE l.pos = ANY(%s) ORDER BY l.pos",
        list(range(first + 1, last + 1, step)),
    )
    return [SealedEvent(*row) for row in rows]


def most_within_a_second(times: list[float]) -> int:
    """Frames within the fullest second; one that comes a whole second after the first is in the next."""
    return max((bisect_left(times, at + 1.0) - n for n, at in enumerate(times)), default=0)
