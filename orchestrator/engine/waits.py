"""What belongs to a task that waits for the outside: its timers, its wait row, the run it started.

Called inside the transaction that moves the task, under its run's lock.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models.functions import Now

from orchestrator import db, waits_db
from orchestrator.models import Run, Task, Timer, Wait
from orchestrator.ports import gatekeeper
from orchestrator.states import RUN_TERMINAL

OUTSIDE: Final = frozenset({"timer", "event", "callback", "run", "message"})  # values of Task.wait_for
TASK_TIMERS: Final = (
    "task_timer",
    "wait_deadline",
    "wait_opened",
    "message",
)  # kinds of Timer whose ref is a waiting task


def set_timer(kind: str, ref: int, *, due_at: datetime | None = None) -> None:
    """Have something done at a time, or as soon as this transaction has committed."""
    Timer.objects.create(kind=kind, ref=ref, due_at=due_at or Now())
    if due_at is None:
        waits_db.wake_timekeeper()


def set_deadline(task: int, seconds: float) -> datetime | None:
    """Start a wait's deadline by the database's clock; 0 means it has none."""
    if not seconds:
        return None
    due_at = db.clock() + timedelta(seconds=seconds)
    set_timer("wait_deadline", task, due_at=due_at)
    return due_at


def stop_waiting(tasks: Sequence[int]) -> None:
    """These tasks wait no longer, whatever the reason: nothing may fire for them, and runs they started are cancelled.

    The runs are cancelled by the timekeeper, each in its own transaction: here a lock would be held on many runs at
    once, and one that cannot be cancelled would keep its parent alive.
    """
    Timer.objects.filter(kind__in=TASK_TIMERS, ref__in=tasks, fired_at=None).update(fired_at=Now())
    Wait.objects.filter(task_id__in=tasks, ended_at=None).update(ended_at=Now())
    children = Run.objects.filter(parent_task__in=tasks).exclude(status__in=RUN_TERMINAL).values_list("pk", flat=True)
    orphans = [Timer(kind="run_orphaned", ref=child, due_at=Now()) for child in children]
    if orphans:
        Timer.objects.bulk_create(orphans)
        waits_db.wake_timekeeper()


def end_waits(waiting: Sequence[Task], *, reason: str) -> None:
    """Close the gates, timers and outside waits of tasks that will wait no longer."""
    gatekeeper().withdraw_gates([task.pk for task in waiting], reason=reason)
    stop_waiting([task.pk for task in waiting if task.wait_for in OUTSIDE or task.kind == "wait_callback"])
    retries = Timer.objects.filter(kind="task_retry", ref__in=[task.pk for task in waiting], fired_at=None)
    retries.update(fired_at=Now())
