"""A map over 5,000 items (scenario 23): it ends, its run can be steered meanwhile, and memory stays flat.

How long others wait for the run's row is measured, not asserted (docs/benchmarks.md): the watching thread shares this
process's interpreter. That the run is free meanwhile is asserted in integration/engine/test_wide_spawns.py.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from orchestrator import db
from orchestrator.engine import delivery
from orchestrator.invariants import violations
from orchestrator.models import Run, Task
from tests.engine import eventually, finished, publish, shift, start, task

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]
WIDE = 5_000
EACH = "- {key: each, type: map, over: input.items, body: {type: automated, agent: test-echo, inputs: {at: '${at}'}}}"


def megabytes() -> float:
    """What this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@contextmanager
def watched(run: Run) -> Iterator[list[float]]:
    """Take the run's lock again and again; the memory held each time it was had."""
    over, held = threading.Event(), list[float]()

    def watch() -> None:
        with psycopg.connect(**db.connection_parameters()) as own:
            own.autocommit = True
            while not over.wait(0.002):
                own.execute("SELECT 1 FROM orchestrator_run WHERE id = %s FOR NO KEY UPDATE", [run.pk])
                held.append(megabytes())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield held
    finally:
        over.set()
        watching.join(20)


def test_map_over_5000_items_lets_others_at_its_run_and_keeps_its_memory_flat() -> None:
    publish(EACH)
    with shift(capacity=1000):
        first = start(items=list(range(1000)))
        eventually(lambda: finished(first), seconds=60)
        before = megabytes()

        run = start(items=list(range(WIDE)))
        with watched(run) as held:
            eventually(lambda: finished(run), seconds=120)

    assert run.status == "succeeded"
    assert delivery.unpack(task(run, "each").output)["succeeded"] == WIDE
    assert set(Task.objects.of_run(run.pk).values_list("status", "attempt")) == {("succeeded", 1), ("succeeded", 2)}
    assert len(held) > 20
    assert max(held) - before < 100
    assert not list(violations())
