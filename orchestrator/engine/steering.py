"""What people do to a whole run that is alive, or failed. The caller holds the run's lock and appends the event."""

from collections import defaultdict

from django.db.models.functions import Now

from orchestrator import db
from orchestrator.engine.plans import step_of
from orchestrator.engine.transitions import cancel_live_tasks, live_tasks
from orchestrator.errors import IllegalTransition
from orchestrator.models import TASK_BITS, Run, Task
from orchestrator.states import RUN_TRANSITIONS, RunStatus, TaskStatus

_INDEX = (1 << TASK_BITS) - 1


def pause(run: Run) -> None:
    """Hold ready tasks back. Raises IllegalTransition."""
    _move(run, RunStatus.PAUSED, verb="paused")
    live_tasks(run.pk).filter(status=TaskStatus.READY).update(held=True)


def resume(run: Run) -> None:
    """Let held tasks go. Raises IllegalTransition."""
    if run.status != RunStatus.PAUSED:
        raise IllegalTransition(what=f"Run {run.pk}", status=run.status, verb="resumed")
    _move(run, RunStatus.RUNNING, verb="resumed")
    live_tasks(run.pk).filter(status=TaskStatus.READY).update(held=False)
    db.wake_idle()


def cancel(run: Run, *, reason: str, actor: str) -> None:
    """End the run and everything that lives in it. Raises IllegalTransition."""
    _move(run, RunStatus.CANCELLED, verb="cancelled")
    cancel_live_tasks(run.pk, reason=reason, actor=actor)
    Run.objects.filter(pk=run.pk).update(remaining=0, ended_at=Now())


def retry(run: Run) -> None:
    """Run a failed run's failed and cancelled tasks again. Raises IllegalTransition."""
    if run.status != RunStatus.FAILED:
        raise IllegalTransition(what=f"Run {run.pk}", status=run.status, verb="retried")
    _move(run, RunStatus.RUNNING, verb="retried")
    again = _revive(run)
    failed = Task.objects.of_run(run.pk).filter(status=TaskStatus.FAILED).count()
    Run.objects.filter(pk=run.pk).update(remaining=again, failed=failed, ended_at=None, error=None)
    db.wake_idle()


def prioritise(run: Run, priority: int) -> None:
    """Let a run's steps that have yet to start go before, or after, those of other runs."""
    Run.objects.filter(pk=run.pk).update(priority=priority)
    live_tasks(run.pk).exclude(status=TaskStatus.RUNNING).update(priority=priority)


def _move(run: Run, to: RunStatus, *, verb: str) -> None:
    if to not in RUN_TRANSITIONS[run.status]:
        raise IllegalTransition(what=f"Run {run.pk}", status=run.status, verb=verb)
    Run.objects.filter(pk=run.pk).update(status=to)


def _revive(run: Run) -> int:
    """Make a failed run's failed and cancelled tasks live again; return how many tasks remain.

    A task is ready when everything before it has ended, else blocked until then. A step that failed softly (its
    definition says to go on without it) stays failed, unless it is what failed the run.
    """
    tasks = list(Task.objects.of_run(run.pk).select_for_update(no_key=True).order_by("id"))
    culprit = (run.error or {}).get("step")
    dead = {
        task.pk & _INDEX
        for task in tasks
        if task.status == TaskStatus.CANCELLED
        or (task.status == TaskStatus.FAILED and (step_of(task).on_error != "skip" or task.key == culprit))
    }
    for task in tasks:  # what a coordinating task waited for is tried again with it
        if task.status == TaskStatus.FAILED and task.parent is not None and task.parent & _INDEX in dead:
            dead.add(task.pk & _INDEX)
    status = {task.pk & _INDEX: task.status for task in tasks}
    waits_for: dict[int, list[int]] = defaultdict(list)
    for task in tasks:
        for successor in task.successors:
            waits_for[successor].append(task.pk & _INDEX)
    for task in tasks:
        index = task.pk & _INDEX
        if index not in dead:
            continue
        before = waits_for[index]
        pending = sum(1 for other in before if other in dead)
        fed = sum(status[other] == TaskStatus.SUCCEEDED for other in before) if before else 1
        columns = {
            "pending": pending,
            "fed": fed,
            "failures": 0,
            "losses": 0,
            "suspect": False,
            "error": None,
            "shift": None,
        }
        to = TaskStatus.BLOCKED if pending else TaskStatus.READY
        Task.objects.filter(pk=task.pk).update(
            status=to, held=False, ready_at=None if pending else Now(), ended_at=None, **columns
        )
    return len(dead)
