"""A coordinating task that is tried again: what failed among the tasks that it waited for is tried again first.

Else it would look at the same failures, and fail by them once more.
"""

from django.db.models import F
from django.db.models.functions import Now

from agents.types import Json
from orchestrator import events
from orchestrator.engine.plans import INDEX, has_started_others
from orchestrator.models import Run, Task, task_id
from orchestrator.states import TaskStatus


def redo_what_failed(pk: int) -> None:
    """Of a task that was just made ready; it waits for them. The caller holds the run's lock and the task's."""
    task = Task.objects.select_for_update(no_key=True).get(pk=pk)
    if not has_started_others(task) or task.status != TaskStatus.READY:
        return
    assert task.state is not None
    first = task_id(task.run_id, task.state["first"])
    started = Task.objects.filter(pk__gte=first, pk__lt=first + task.state["count"])
    failed = started.filter(status=TaskStatus.FAILED).select_for_update(no_key=True).order_by("pk")
    again, fed = list(failed.values_list("pk", flat=True)), started.filter(status=TaskStatus.SUCCEEDED).count()
    if not again or 0 < task.need <= fed:
        return
    fresh = {"failures": 0, "losses": 0, "suspect": False, "error": None, "ended_at": None, "shift": None}
    Task.objects.filter(pk__in=again).update(status=TaskStatus.READY, held=task.held, ready_at=Now(), **fresh)
    Task.objects.filter(pk=pk).update(status=TaskStatus.BLOCKED, held=False, ready_at=None, pending=len(again), fed=fed)
    Run.objects.filter(pk=task.run_id).update(remaining=F("remaining") + len(again))
    indexes: list[Json] = [each & INDEX for each in (*again, pk)]
    events.append("task.reopened", actor="engine", run_id=task.run_id, data={"tasks": indexes, "count": len(again)})
