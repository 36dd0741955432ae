"""PostgreSQL is restarted without warning, again and again, while real workers change the world under load."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from approvals.models import Queue
from config import env
from config.postgres import Postgres
from orchestrator import snapshots
from orchestrator.engine.plans import plan_of
from orchestrator.models import Effect, Event, Run, Task
from tests import prepared
from tests.chaos.conftest import until
from tests.chaos.workers import Site, begin, ended
from tests.hands import reviewer, violations

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

# The scenario's own size takes over a minute: WATCHKEEPER_CHAOS=full asks for it.
RUNS, SECONDS = (200, 60.0) if os.environ.get("WATCHKEEPER_CHAOS") == "full" else (60, 24.0)
LEAST = 3  # restarts, however long each takes on a busy machine
STEPS = """
  - {key: pay, type: automated, agent: chaos-effect}
  - {key: work, type: automated, agent: chaos-slow, inputs: {seconds: 0.3}}
  - {key: ship, type: automated, agent: chaos-effect}
"""


@contextmanager
def served_by(url: str) -> Iterator[None]:
    """Let Django's connection lead to another database for a while."""
    connection.close()
    _forget_versions()
    before = dict(connection.settings_dict)
    connection.settings_dict.update(env.database("", url))
    try:
        yield
    finally:
        connection.close()
        _forget_versions()
        connection.settings_dict.update(before)


def _forget_versions() -> None:
    """A version never changes, so processes remember it by its id; here the ids of two databases meet."""
    plan_of.cache_clear()
    snapshots.graph_of.cache_clear()


@pytest.fixture
def server(folder: Path, django_db_blocker: Any, settings: Any) -> Iterator[Postgres]:
    """A durable server of the test's own with our schema."""
    settings.DATA_DIR = folder
    prepared.copy_into(folder)
    made = Postgres(folder)
    try:
        with django_db_blocker.unblock(), served_by(made.start()):
            Queue.objects.get_or_create(name="operations", defaults={"title": "Operations"})
            reviewer()
            yield made
    finally:
        made.stop()


@pytest.fixture
def site(server: Postgres, folder: Path) -> Iterator[Site]:
    made = Site(folder)
    try:
        yield made
    finally:
        made.end()


class Monkey:
    """What `pg_ctl restart -m immediate` does, every two to five seconds, in the thread that its server is tied to."""

    def __init__(self, server: Postgres, *, seed: int) -> None:
        self._server = server
        self._chance = random.Random(seed)
        self._began = time.monotonic()
        self._due = self._began + 2
        self.restarts = 0

    @property
    def share(self) -> float:
        """How much of its time is over."""
        return (time.monotonic() - self._began) / SECONDS

    @property
    def is_done(self) -> bool:
        """When its time is over; where starting again takes long, when it has done so often enough."""
        return self.share > 1 and self.restarts >= LEAST

    def restart_if_due(self) -> None:
        """Kill the server without warning and start it again."""
        if time.monotonic() < self._due or self.is_done:
            return
        os.kill(self._server.pid, signal.SIGQUIT)
        until(lambda: not self._server.alive(), seconds=10, what="the server is gone")
        self._server.start()
        self.restarts += 1
        self._due = time.monotonic() + self._chance.uniform(2, 5)


def test_immediate_restarts_lose_and_repeat_nothing_that_was_confirmed(server: Postgres, site: Site) -> None:
    site.open(1, 1)
    monkey = Monkey(server, seed=12)
    runs: list[Run] = []

    def load() -> bool:
        monkey.restart_if_due()
        while len(runs) < min(RUNS, RUNS * monkey.share * 1.2):
            runs.append(begin(STEPS, rest="dependencies: {ship: [pay, work]}"))
        return len(runs) == RUNS and monkey.is_done

    site.until(load, seconds=SECONDS + 60, what="the restarts are over")
    site.until(lambda: all(ended(run) for run in runs), seconds=60, what="every run has ended")

    assert monkey.restarts >= LEAST
    assert set(Run.objects.values_list("status", flat=True)) == {"succeeded"}
    charged = Counter(found["key"] for found in site.records("charge"))
    assert set(charged.values()) == {1}
    steps = Task.objects.filter(key__in=["pay", "ship"]).count()
    assert Effect.objects.filter(status="confirmed").count() == steps == len(charged)
    assert Event.objects.filter(kind="run.succeeded").count() == Run.objects.count() >= RUNS
    assert not Event.objects.filter(kind="task.lost").exists()
    assert violations() == []
