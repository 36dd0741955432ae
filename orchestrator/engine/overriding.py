"""What people do to one step: let it run (again) with other facts, end it with an output, skip it or cancel it.

The caller holds the run's lock and the task's, has checked that the step's state allows it, and appends the event.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models.functions import Now

from agents.types import Json
from orchestrator import db
from orchestrator.engine import attempts, delivery, steering, transitions, waits
from orchestrator.engine.plans import step_of
from orchestrator.models import Effect, Run, Task
from orchestrator.states import TASK_TERMINAL, AttemptStatus, RunStatus, TaskStatus


def revive(run: Run, task: Task) -> Task:
    """A failed step's run lives again, and so does the step."""
    steering.retry(run)
    run.refresh_from_db(fields=["status"])
    return Task.objects.select_for_update(no_key=True).get(pk=task.pk)


def let_run(task: Task, *, reason: str, **columns: Any) -> bool:
    """Let a live step run (again) with `columns` changed; one that has not started waits for its turn as before.

    Returns whether its status has changed: what ran is interrupted, what waited waits no longer.
    """
    if task.status in (TaskStatus.BLOCKED, TaskStatus.READY):
        Task.objects.filter(pk=task.pk).update(**columns)
        return False
    _leave(task, reason=reason)
    Effect.objects.filter(task_id=task.pk, status="unknown").update(status="prepared", updated_at=Now())
    paused = Run.objects.filter(pk=task.run_id, status=RunStatus.PAUSED).exists()
    fresh = {"failures": 0, "losses": 0, "suspect": False, "error": None}
    transitions.move(
        task, TaskStatus.READY, wait_for="", held=paused, ready_at=Now(), shift=None, **{**fresh, **columns}
    )
    db.wake_idle()
    return True


def finish(task: Task, *, output: dict[str, Json] | None, reason: str) -> None:
    """End a live step now: with an output as if its agent had given it, or skipped without one."""
    children = descendants([task])
    if task.status in (TaskStatus.RUNNING, TaskStatus.WAITING):
        _leave(task, reason=reason)
    if output is None:
        transitions.move(task, TaskStatus.SKIPPED, wait_for="", error=None)
    else:
        delivery.deliver(task, step_of(task), output)
        transitions.move(task, TaskStatus.SUCCEEDED, wait_for="", error=None, output=delivery.fit(output))
    db.advance_runs([task.pk], [output is not None])
    _cancel(children, reason=reason, actor="engine")


def cancel(tasks: Sequence[Task], *, reason: str, actor: str) -> int:
    """Cancel live steps of one run and what they started; the run goes on without them. Returns how many."""
    everything = sorted({task.pk: task for task in [*tasks, *descendants(tasks)]}.values(), key=lambda task: task.pk)
    return _cancel(everything, reason=reason, actor=actor)


def descendants(tasks: Iterable[Task]) -> list[Task]:
    """The live tasks that these have started, and those that those have."""
    found: list[Task] = []
    wave = {task.pk: task.run_id for task in tasks}
    while wave:
        run_id = next(iter(wave.values()))
        rows = Task.objects.of_run(run_id).filter(parent__in=list(wave)).select_for_update(no_key=True).order_by("id")
        children = list(rows)
        found += [child for child in children if child.status not in TASK_TERMINAL]
        wave = {child.pk: run_id for child in children}
    return found


def _cancel(tasks: Sequence[Task], *, reason: str, actor: str) -> int:
    if not tasks:
        return 0
    transitions.cancel_tasks(tasks[0].run_id, tasks, reason=reason, actor=actor, partly=True)
    db.advance_runs([task.pk for task in tasks], [False] * len(tasks))
    return len(tasks)


def _leave(task: Task, *, reason: str) -> None:
    """Interrupt what runs; close the gate and the timers of what waits."""
    if task.status == TaskStatus.RUNNING:
        attempts.end_attempt(task, AttemptStatus.SUSPENDED, error={"code": "overridden", "message": reason})
        db.notify_shifts(f"cancel:{task.run_id}")
    elif task.status == TaskStatus.WAITING:
        waits.end_waits([task], reason=reason)
