"""A map over 5,000 items (scenario 23): it ends, others get at its run, and memory stays flat.

A process of its own takes the run's lock again and again, and by turns that of a run at rest: what both wait for is the
machine, what only the first waits for is the spawn. That the run is free while rows are written is asserted in
integration/engine/test_wide_spawns.py.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from config.bench.measure import children_of, rss_mb
from orchestrator.engine import delivery
from orchestrator.invariants import violations
from orchestrator.models import Run, Task
from tests.chaos.workers import Site, address, begin, ended
from tests.engine import eventually, finished, publish, shift, start, task

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]
WIDE = 5_000
EACH = "- {key: each, type: map, over: input.items, body: {type: automated, agent: test-echo, inputs: {at: '${at}'}}}"
WATCH = """
import json, select, sys, time
import psycopg
waited = {run: [] for run in sys.argv[2:]}
with psycopg.connect(sys.argv[1], autocommit=True) as own:
    print("watching", flush=True)
    while not select.select([sys.stdin], [], [], 0.002)[0]:
        for run in waited:
            began = time.monotonic()
            own.execute("SELECT 1 FROM orchestrator_run WHERE id = %s FOR NO KEY UPDATE", [run])
            waited[run].append(time.monotonic() - began)
print(json.dumps([waited[run] for run in sys.argv[2:]]))
"""


def megabytes() -> float:
    """What this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@contextmanager
def watched(*runs: Run) -> Iterator[list[list[float]]]:
    """Take the locks of the runs again and again; afterwards, the seconds that each try waited, run by run."""
    command = [sys.executable, "-c", WATCH, address(), *(str(run.pk) for run in runs)]
    waits: list[list[float]] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "watching\n"
        try:
            yield waits
        finally:
            said, _ = watching.communicate("over")
    waits += json.loads(said)


def percentile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[int(len(seconds) * share)]


@pytest.fixture
def site(transactional_db: None, folder: Path, settings: Any) -> Iterator[Site]:
    settings.DATA_DIR = folder
    made = Site(folder, shifts=1)
    yield made
    made.end()


def test_worker_process_maps_5000_items_and_lets_others_at_its_run_with_flat_memory(site: Site) -> None:
    """The same in a Celery worker of its own, which this process only watches."""
    each = "- {key: each, type: map, over: input.items, body: {type: automated, agent: chaos-slow}}"
    site.open(1)
    first = begin(each, items=list(range(1000)))
    site.until(lambda: ended(first), seconds=60, what="a smaller one has ended")
    (process,) = children_of(site.workers[0].pid)
    before, held = rss_mb(process), []

    run = begin(each, items=list(range(WIDE)))
    with watched(run, first) as waits:
        site.until(lambda: held.append(rss_mb(process)) or ended(run), seconds=150, what="the wide one has ended")

    assert run.status == "succeeded"
    assert delivery.unpack(task(run, "each").output)["succeeded"] == WIDE
    assert len(site.started(run)) == WIDE
    of_run, at_rest = waits
    assert len(of_run) > 100
    assert percentile(of_run, 0.99) < 0.25 + percentile(at_rest, 0.99)
    assert max(held) - before < 100
    assert not list(violations())


def test_map_over_5000_items_lets_others_at_its_run_and_keeps_its_memory_flat() -> None:
    publish(EACH)
    with shift(capacity=1000):
        first = start(items=list(range(1000)))
        eventually(lambda: finished(first), seconds=60)
        before, held = megabytes(), []

        run = start(items=list(range(WIDE)))
        with watched(run, first) as waits:
            eventually(lambda: held.append(megabytes()) or finished(run), seconds=120)

    assert run.status == "succeeded"
    assert delivery.unpack(task(run, "each").output)["succeeded"] == WIDE
    assert set(Task.objects.of_run(run.pk).values_list("status", "attempt")) == {("succeeded", 1), ("succeeded", 2)}
    of_run, at_rest = waits
    assert len(of_run) > 100
    assert percentile(of_run, 0.99) < 0.25 + percentile(at_rest, 0.99)
    assert max(held) - before < 100
    assert not list(violations())
