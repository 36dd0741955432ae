"""Backpressure: a workflow runs so many runs at once, a lane holds so many ready tasks; what comes over that waits.

A run over a limit is stored like any other, with its tasks held back (`pending`), and admitted in order of arrival as
soon as there is room. Every process counts for itself and looks anew every second, so a burst may overshoot by what
the other processes have started meanwhile: a limit slows, it is not a lock.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction

from orchestrator import db, events, pacing
from orchestrator.engine.lanes import DEFAULT, blocking, pool_of
from orchestrator.engine.plans import plan_of
from orchestrator.engine.transitions import live_tasks, lock_run
from orchestrator.errors import OrchestratorError
from orchestrator.models import Run, Task, Workflow
from orchestrator.states import RunStatus, TaskStatus

log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 5
BATCH: Final = 200


class Busy(OrchestratorError):
    """{what} is at its limit of {limit}; send it again in {seconds} s, or let it wait in the queue."""

    code = "busy"
    status = 429


@dataclass(slots=True)
class _Seen:
    until: float
    runs: int
    ready: dict[str, int]
    most: int | None  # by what people can decide: see `pacing`


_seen: dict[int, _Seen] = {}


def limit_reached(workflow: int, *, starting: bool = True) -> tuple[str, int] | None:
    """What is full for one more run of this workflow, and its limit; None if there is room."""
    now = time.monotonic()
    seen = _seen.get(workflow)
    if seen is None or seen.until < now:
        ready, most = _ready(lanes_of(workflow)), pacing.most_running(workflow)
        seen = _seen[workflow] = _Seen(now + FRESH_SECONDS, _running(workflow), ready, most)
    if seen.runs >= settings.MOST_RUNS_PER_WORKFLOW:
        return "This workflow", settings.MOST_RUNS_PER_WORKFLOW
    if seen.most is not None and seen.runs >= seen.most:
        return "This workflow, at the pace at which people can decide,", seen.most
    lane = next((lane for lane, ready in seen.ready.items() if ready >= settings.MOST_READY_PER_LANE), None)
    if lane is not None:
        return f"The lane {lane} of ready tasks", settings.MOST_READY_PER_LANE
    seen.runs += starting
    return None


def forget() -> None:
    """Count anew at the next start."""
    _seen.clear()


def _running(workflow: int) -> int:
    live = Run.objects.filter(workflow_id=workflow, status=RunStatus.RUNNING).order_by()
    return live.values("pk")[: settings.MOST_RUNS_PER_WORKFLOW].count()


def lanes_of(workflow: int) -> list[str]:
    """The lanes in which its new runs' tasks may wait: two for each pool that its steps name."""
    version = Workflow.objects.values_list("current_version_id", flat=True).get(pk=workflow)
    try:
        steps = plan_of(version).steps if version else ()
    except (LookupError, TypeError, ValueError):  # its runs are put before people; what waits elsewhere goes on
        log.exception("plan_unreadable", version_id=version)
        steps = ()
    pools = {pool_of(part.lane) for step in steps for part in (step, step.body) if part is not None}
    return [lane for pool in sorted(pools or {DEFAULT}) for lane in (pool, blocking(pool))]


def _ready(lanes: Iterable[str]) -> dict[str, int]:
    ready = Task.objects.filter(status=TaskStatus.READY, held=False, limited=False, suspect=False).order_by()
    return {lane: ready.filter(lane=lane).values("pk")[: settings.MOST_READY_PER_LANE].count() for lane in lanes}


def queue(run_id: int, *, reason: str) -> None:
    """Hold a run back that has just been started, in the transaction that started it."""
    Run.objects.filter(pk=run_id).update(status=RunStatus.PENDING)
    live_tasks(run_id).filter(status=TaskStatus.READY).update(held=True)
    events.append("run.queued", actor="engine", run_id=run_id, data={"reason": reason})


def admit() -> int:
    """Let queued runs begin while there is room, the oldest of each workflow first; return how many.

    Workflow by workflow: a long queue of one that is full keeps none of another's waiting.
    """
    pending = Run.objects.filter(status=RunStatus.PENDING)
    admitted = 0
    for workflow in list(pending.order_by("workflow_id").values_list("workflow_id", flat=True).distinct()):
        for pk in list(pending.filter(workflow_id=workflow).order_by("pk").values_list("pk", flat=True)[:BATCH]):
            if limit_reached(workflow):
                break
            admitted += _admit(pk)
    return admitted


@transaction.atomic
def _admit(pk: int) -> bool:
    run = lock_run(pk)
    if run.status != RunStatus.PENDING:
        return False
    Run.objects.filter(pk=pk).update(status=RunStatus.RUNNING)
    live_tasks(pk).filter(status=TaskStatus.READY).update(held=False)
    events.append("run.admitted", actor="engine", run_id=pk)
    db.wake_idle()
    return True
