"""What people do to a whole run that is alive, or failed. The caller holds the run's lock and appends the event."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from django.db.models.functions import Now

from agents.types import Json
from orchestrator import db, events
from orchestrator.engine import compensation, outcomes
from orchestrator.engine.plans import has_started_others, step_of
from orchestrator.engine.transitions import cancel_live_tasks, live_tasks, open_gate
from orchestrator.errors import IllegalTransition
from orchestrator.models import TASK_BITS, Run, Step, Task, task_id
from orchestrator.ports import GateRequest
from orchestrator.states import RUN_TRANSITIONS, RunStatus, TaskStatus

_INDEX = (1 << TASK_BITS) - 1
_PART = 1000  # tasks named in one event


@dataclass(frozen=True, slots=True)
class Redo:
    """Indexes of the tasks that are done again, and of those coordinating ones among them that begin anew."""

    again: set[int]
    anew: set[int]


def pause(run: Run) -> None:
    """Hold ready tasks back. Raises IllegalTransition."""
    _move(run, RunStatus.PAUSED, verb="paused")
    Run.objects.filter(pk=run.pk).update(paused_with=None)
    live_tasks(run.pk).filter(status=TaskStatus.READY).update(held=True)


def resume(run: Run) -> None:
    """Let held tasks go. Raises IllegalTransition."""
    if run.status != RunStatus.PAUSED:
        raise IllegalTransition(what=f"Run {run.pk}", status=run.status, verb="resumed")
    _move(run, RunStatus.RUNNING, verb="resumed")
    live_tasks(run.pk).filter(status=TaskStatus.READY).update(held=False)
    db.wake_idle()


def cancel(run: Run, *, reason: str, actor: str, undo: bool = False) -> bool:
    """End the run and everything that lives in it; with `undo`, undo what it has done first. True if that goes on.

    Raises IllegalTransition.
    """
    if RunStatus.CANCELLED not in RUN_TRANSITIONS[run.status]:
        raise IllegalTransition(what=f"Run {run.pk}", status=run.status, verb="cancelled")
    cancel_live_tasks(run.pk, reason=reason, actor=actor)
    undo = undo and run.status != RunStatus.COMPENSATING
    if undo and compensation.begin(run, ends_as=RunStatus.CANCELLED, asked=True, reason=reason, actor=actor):
        return True
    Run.objects.filter(pk=run.pk).update(status=RunStatus.CANCELLED, remaining=0, ended_at=Now())
    return False


def retry(run: Run, *, actor: str = "engine") -> None:
    """Run a failed run's failed and cancelled tasks again, or what a run that ended in part lacks.

    What was undone meanwhile, and what came after that or after what was missing, is done again too.
    Raises IllegalTransition.
    """
    tasks = _tasks(run)
    _reopen(run, tasks, to_redo(run, tasks), actor=actor)


def retry_step(run: Run, task: Task, *, timeout: float, actor: str) -> None:
    """Do one step of a run that ended in part again, with another timeout, and what came after it.

    Raises IllegalTransition.
    """
    spec = dict(task.spec or {})
    spec["step"] = {**spec.get("step", {}), "timeout": timeout}
    tasks = _tasks(run)
    _reopen(run, tasks, with_what_follows(task, tasks), actor=actor)
    Task.objects.filter(pk=task.pk).update(spec=spec)


def review_step(run: Run, task: Task, request: GateRequest, *, actor: str) -> None:
    """Ask people about one failed step of a run that ended in part; what came after it is done again afterwards.

    Raises IllegalTransition.
    """
    tasks = _tasks(run)
    _reopen(run, tasks, with_what_follows(task, tasks), actor=actor)
    open_gate(Task.objects.get(pk=task.pk), request)


def _reopen(run: Run, tasks: Sequence[Task], redo: Redo, *, actor: str) -> None:
    if run.status not in (RunStatus.FAILED, RunStatus.PARTIAL):
        raise IllegalTransition(what=f"Run {run.pk}", status=run.status, verb="retried")
    _move(run, RunStatus.RUNNING, verb="retried")
    _revive(run, tasks, redo, actor=actor)
    failed = Task.objects.of_run(run.pk).filter(status=TaskStatus.FAILED, parent=None).count()
    outcome = outcomes.still_missing(run.outcome, {task_id(run.pk, index) for index in redo.again})
    Run.objects.filter(pk=run.pk).update(
        remaining=len(redo.again), failed=failed, ended_at=None, error=None, outcome=outcome
    )
    db.wake_idle()


def _tasks(run: Run) -> list[Task]:
    return list(Task.objects.of_run(run.pk).select_for_update(no_key=True).order_by("id"))


def prioritise(run: Run, priority: int) -> None:
    """Let a run's steps that have yet to start go before, or after, those of other runs."""
    Run.objects.filter(pk=run.pk).update(priority=priority)
    live_tasks(run.pk).exclude(status=TaskStatus.RUNNING).update(priority=priority)


def _move(run: Run, to: RunStatus, *, verb: str) -> None:
    if to not in RUN_TRANSITIONS[run.status]:
        raise IllegalTransition(what=f"Run {run.pk}", status=run.status, verb=verb)
    Run.objects.filter(pk=run.pk).update(status=to)


def to_redo(run: Run, tasks: Sequence[Task]) -> Redo:
    """The tasks that a retry of this run would run again; the page's preview asks the same.

    Of a failed run: what failed it, what was cancelled with it, and what has been undone since with all that came
    after. A step that failed softly stays failed, unless it is what failed the run. Of a run that ended in part: what
    its result lacks, with all that came after.
    """
    own = [task for task in tasks if not compensation.is_undoing(task)]
    undone = compensation.undone(run.pk)
    dead = {task.pk & _INDEX for task in own if task.status == TaskStatus.CANCELLED}
    roots = {task.pk & _INDEX for task in own if task.pk in undone}
    failed = {task.pk & _INDEX for task in own if task.parent is None and _is_redone(run, task)}
    if run.status == RunStatus.PARTIAL:
        roots |= failed
    return _redo(dead | failed, roots, tasks)


def _is_redone(run: Run, task: Task) -> bool:
    if task.status != TaskStatus.FAILED:
        return False
    step = step_of(task)
    if run.status == RunStatus.PARTIAL:
        return not step.optional
    return step.on_error != "skip" or task.key == (run.error or {}).get("step")


def _after(roots: set[int], tasks: Sequence[Task]) -> set[int]:
    """Everything that came after these, of what has ended."""
    successors = {task.pk & _INDEX: task.successors for task in tasks}
    found, todo = set[int](), list(roots)
    while todo:
        for index in successors.get(todo.pop(), ()):
            if index not in found:
                found.add(index)
                todo.append(index)
    return found


def with_what_follows(task: Task, tasks: Sequence[Task]) -> Redo:
    """A task and everything that came after it."""
    return _redo(set(), {task.pk & _INDEX}, tasks)


def _redo(some: set[int], changed: set[int], tasks: Sequence[Task]) -> Redo:
    """Do some tasks again, and those in `changed`, which may give something else now, with all that came after."""
    changed = changed | _after(changed, tasks)
    again, anew = some | changed, _fed_anew(changed, tasks)
    for task in tasks:  # those that were started come after those that started them
        index, parent = task.pk & _INDEX, None if task.parent is None else task.parent & _INDEX
        if parent in anew:
            anew.add(index)
            again.discard(index)
        elif parent in again and task.status == TaskStatus.FAILED:
            again.add(index)
    return Redo(again, anew & again)


def _fed_anew(changed: set[int], tasks: Sequence[Task]) -> set[int]:
    """Coordinating tasks that have begun and whose input changes: not those that only what they started leads to."""
    begun = {task.pk & _INDEX: task.pk for task in tasks if has_started_others(task)}
    feeding = [task for task in tasks if task.pk & _INDEX in changed]
    return {at for task in feeding for at in task.successors if at in begun and task.parent != begun[at]}


def _revive(run: Run, tasks: Sequence[Task], redo: Redo, *, actor: str) -> None:
    """Make what is to be done again live.

    A task is ready when everything before it has ended, else blocked until then. One that begins anew has forgotten
    what it had started.
    """
    status = {task.pk & _INDEX: task.status for task in tasks}
    dead, anew = redo.again, redo.anew
    needs = dict(Step.objects.filter(version_id=run.version_id).values_list("index", "need")) if anew else {}
    waits_for: dict[int, list[int]] = defaultdict(list)
    for task in tasks:
        for successor in task.successors:
            if successor not in anew or task.parent != task_id(run.pk, successor):
                waits_for[successor].append(task.pk & _INDEX)
    for task in tasks:
        index = task.pk & _INDEX
        if index not in dead:
            continue
        before = waits_for[index]
        pending = sum(1 for other in before if other in dead)
        fed = sum(status[other] == TaskStatus.SUCCEEDED and other not in dead for other in before) if before else 1
        columns: dict[str, Any] = {"state": None, "need": needs.get(index, -1)} if index in anew else {}
        columns |= {
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
    for part in batched(sorted(dead), _PART):
        data: dict[str, Json] = {"tasks": list(part), "count": len(part), "anew": [at for at in part if at in anew]}
        events.append("task.reopened", actor=actor, run_id=run.pk, data=data)
