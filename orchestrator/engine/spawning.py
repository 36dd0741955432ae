"""Writing spawned tasks without keeping others from their run.

The rows of a wide spawn take the database a third of a second. They are written first, unseen, and the run is locked
only to let the task wait for them; if the run has changed meanwhile in what the rows are made from, nothing has
happened and it is tried again. All of it is one transaction: a spawn is there as a whole or not at all.
"""

from collections.abc import Callable
from typing import Any, Final

from django.db import IntegrityError, OperationalError, transaction
from psycopg.errors import LockNotAvailable, UniqueViolation

from agents.models import Agent
from orchestrator import db, failpoints, spawn_db
from orchestrator.engine import transitions
from orchestrator.engine.transitions import Fence
from orchestrator.models import TASK_BITS, Run, Task
from orchestrator.spawn_db import SpawnColumns

WIDE: Final = 200  # tasks; fewer are written in the time that a lock may be held
AHEAD: Final = 2  # times that a wide spawn is tried without the run's lock
GIVES_WAY_MS: Final = 250  # another spawn of the run may wait for the numbers that our rows have taken

type Record = Callable[[Task, int], None]


class _Moved(Exception):
    """The run is not as the rows were made for."""


def after(rows: SpawnColumns) -> list[str]:
    """For each task, the positions that must end before it, as JSON."""
    found: list[str] = rows[5]
    return found


def spawn(fence: Fence, rows: SpawnColumns, record: Record) -> None:
    """Write the rows, then call `record` with the locked task and the first one's index; not if it is late."""
    spawn_db.open_lanes(rows[3])
    for _ in range(AHEAD if len(rows[0]) >= WIDE else 0):
        try:
            return _ahead(fence, rows, record)
        except _Moved:
            continue
        except OperationalError as problem:
            if not isinstance(problem.__cause__, LockNotAvailable):
                raise
        except IntegrityError as problem:
            if not isinstance(problem.__cause__, UniqueViolation):
                raise
    return _at_once(fence, rows, record)


@transaction.atomic
def _ahead(fence: Fence, rows: SpawnColumns, record: Record) -> None:
    run_id = fence.task_id >> TASK_BITS
    before = _made_from(Run.objects.get(pk=run_id), Task.objects.get(pk=fence.task_id), rows)
    first = spawn_db.add_spawned(task=fence.task_id, rows=rows)
    failpoints.hit("spawn.added")
    spawn_db.wait_for_locks_at_most(GIVES_WAY_MS)
    run, task = transitions.lock_run(run_id), transitions.fenced(fence)
    db.share_limits()
    if task is None or first != run.total or _made_from(run, task, rows) != before:
        raise _Moved
    record(task, first)


@transaction.atomic
def _at_once(fence: Fence, rows: SpawnColumns, record: Record) -> None:
    transitions.lock_run(fence.task_id >> TASK_BITS)
    task = transitions.fenced(fence)
    if task is not None:
        db.share_limits()
        record(task, spawn_db.add_spawned(task=task.pk, rows=rows))


def _made_from(run: Run, task: Task, rows: SpawnColumns) -> tuple[Any, ...]:
    """All that the rows take from elsewhere and that people may change meanwhile."""
    limits = Agent.objects.filter(name__in=set(rows[2])).order_by("name")
    columns = tuple(limits.values_list("name", "max_concurrency", "rate_per_minute"))
    return run.total, run.status, run.version_id, task.version_id, task.priority, columns
