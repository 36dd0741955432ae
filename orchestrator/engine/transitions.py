"""The moves of a task that are not settled in batches: waits, failures, releases by people. Used by the engine and
services.

Every function runs inside a transaction whose caller has called `lock_run()` first (lock order: run, task, gate).
Functions that end a running attempt take its fence (attempt, shift) and return False when it no longer stands.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import F
from django.db.models.functions import Now
from django.db.models.query import QuerySet

from agents.types import Json
from orchestrator import budget_db, db, events
from orchestrator.budgets import NOTHING, Used
from orchestrator.definitions.plan import PlanStep
from orchestrator.engine import (
    again,
    announcing,
    checkpoints,
    compensation,
    conflicts,
    delivery,
    lanes,
    oversight,
    questions,
    run_state,
    waits,
)
from orchestrator.engine.attempts import end_attempt
from orchestrator.engine.plans import INDEX, step_in_trouble, step_of
from orchestrator.errors import RevisionLimit, RunNotFound, TaskNotWaiting
from orchestrator.models import TASK_BITS, Effect, Run, Task, task_id
from orchestrator.ports import GateRequest, gatekeeper
from orchestrator.states import TASK_TERMINAL, TASK_TRANSITIONS, AttemptStatus, RunStatus, TaskStatus

REVISIONS = 3  # of a step that asks by itself, without a gate in its definition


@dataclass(frozen=True, slots=True)
class Fence:
    """Which attempt, under which shift, claims to have run a task."""

    task_id: int
    attempt: int
    shift: int
    used: Used | None = None  # by its call; None: not known


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt that ended well produced, from what, by which version of its agent."""

    output: dict[str, Json]
    input: dict[str, Json]
    confidence: float | None
    version: int


def lock_run(run_id: int) -> Run:
    """Lock a run's row until the transaction ends. Raises RunNotFound."""
    run = Run.objects.select_for_update(no_key=True).filter(pk=run_id).first()
    if run is None:
        raise RunNotFound(run_id=run_id)
    return run


def waiting_task(pk: int, *, wait_for: Sequence[str] = ("gate", "quarantine")) -> Task:
    """A locked task that waits for people. Raises TaskNotWaiting."""
    task = Task.objects.select_for_update(no_key=True).get(pk=pk)
    if task.status != TaskStatus.WAITING or task.wait_for not in wait_for:
        raise TaskNotWaiting(task_id=pk, status=task.status)
    return task


def fenced(fence: Fence) -> Task | None:
    """The locked task if its attempt still stands, else None."""
    return (
        Task.objects.select_for_update(no_key=True)
        .filter(pk=fence.task_id, attempt=fence.attempt, shift=fence.shift, status=TaskStatus.RUNNING)
        .first()
    )


def move(task: Task, to: TaskStatus, **columns: Any) -> None:
    """Write a task's new status, if the move is legal, together with `columns`."""
    if to not in TASK_TRANSITIONS[task.status]:
        raise AssertionError(f"task {task.pk}: {task.status} -> {to} is not a legal move")
    if to in TASK_TERMINAL:
        columns.setdefault("ended_at", Now())
    if task.wait_for in waits.OUTSIDE or (to in TASK_TERMINAL and task.kind == "wait_callback"):
        waits.stop_waiting([task.pk])
    Task.objects.filter(pk=task.pk).update(status=to, **columns)


def wait_for_people(fence: Fence, request: GateRequest, *, version: int = 0, actor: str = "engine") -> bool:
    """A running task suspends itself and opens a gate."""
    task = fenced(fence)
    if task is None:
        return False
    end_attempt(task, AttemptStatus.SUSPENDED, version=version, used=fence.used)
    open_gate(task, request, actor=actor)
    return True


def open_gate(task: Task, request: GateRequest, *, actor: str = "engine", wait_for: str = "gate") -> None:
    """Let a locked task wait for what people say to `request`."""
    if request.kind in ("approval", "hybrid") and (written := run_state.written_by_hand(task.run_id)):
        request = replace(request, action={**request.action, "state written by hand": written})
    if task.status == TaskStatus.WAITING:
        if task.wait_for in waits.OUTSIDE:
            waits.stop_waiting([task.pk])
        Task.objects.filter(pk=task.pk).update(wait_for=wait_for, input=request.input, confidence=request.confidence)
    else:
        move(task, TaskStatus.WAITING, wait_for=wait_for, input=request.input, confidence=request.confidence)
    gate = gatekeeper().open_gate(request)
    events.append(
        "task.waiting",
        actor=actor,
        run_id=task.run_id,
        task_id=task.pk,
        data={"attempt": task.attempt, "gate": gate, "rule": request.rule[:500]},
    )
    compensation.let_the_rest_go_on(task)


def complete_running(fence: Fence, result: Result, *, step: PlanStep, actor: str) -> bool:
    """End a running attempt that delivers a file: output, file and everything that follows in one transaction."""
    task = fenced(fence)
    if task is None:
        return False
    end_attempt(task, AttemptStatus.SUCCEEDED, version=result.version, used=fence.used)
    delivery.deliver(task, step, result.output)
    _succeed(task, step, output=result.output, actor=actor, input=result.input, confidence=result.confidence)
    return True


def complete_waiting(pk: int, *, output: dict[str, Json], actor: str) -> None:
    """A person's verdict lets a waiting task go on with `output`; a critical one without a verdict stays held."""
    task = waiting_task(pk)
    if questions.approve(task, output, actor=actor):
        return
    step = step_of(task)
    if step.conflicts and conflicts.answer(task, output, actor=actor):
        make_ready(task)
        events.append("task.returned", actor=actor, run_id=task.run_id, task_id=pk, data={"attempt": task.attempt})
        return
    if oversight.is_unapproved(task, step, output):  # somebody came by another way than the gate
        oversight.withheld(task, actor=actor, why="nobody has approved it at its gate")
        return
    delivery.deliver(task, step, output)
    _succeed(task, step, output=output, actor=actor)


def _succeed(task: Task, step: PlanStep, *, output: dict[str, Json], actor: str, **columns: Any) -> None:
    move(task, TaskStatus.SUCCEEDED, output=output, wait_for="", error=None, **columns)
    events.append("task.succeeded", actor=actor, run_id=task.run_id, task_id=task.pk, data={"attempt": task.attempt})
    if step.checkpoint:
        checkpoints.made_by_step(task.run_id, step, task=task)
    announcing.publish(task, step, output)
    db.advance_runs([task.pk], [True])


def revise(pk: int, *, note: str, actor: str, limit: int | None = None) -> None:
    """Send work back with a reviewer's note: the task itself, or for an approval step the step it reviews.

    At most `limit` times, by default as often as the step's gate allows.
    """
    task = waiting_task(pk)
    step = step_of(task)
    if limit is None:
        limit = step.gate.revisions if step.gate else REVISIONS
    if step.kind == "approval" and step.subject is not None:
        subject = Task.objects.select_for_update(no_key=True).get(pk=task_id(task.run_id, step.subject))
        _check_revision(subject, limit)
        move(task, TaskStatus.BLOCKED, wait_for="", pending=1)
        Run.objects.filter(pk=task.run_id).update(remaining=F("remaining") + 1)
        task = subject
    else:
        _check_revision(task, limit)
    make_ready(task, note=note, revision=task.revision + 1, failures=0, state=None)
    data: dict[str, Json] = {"attempt": task.attempt, "revision": task.revision + 1}
    events.append("task.revised", actor=actor, run_id=task.run_id, task_id=task.pk, data=data)


def _check_revision(task: Task, limit: int) -> None:
    if task.revision >= limit:
        raise RevisionLimit(limit=limit)


def make_ready(task: Task, **columns: Any) -> None:
    """Make a locked task ready now, unless its run is paused, and write `columns`."""
    paused = Run.objects.filter(pk=task.run_id, status=RunStatus.PAUSED).exists()
    move(task, TaskStatus.READY, wait_for="", held=paused, ready_at=Now(), shift=None, ended_at=None, **columns)
    db.wake_idle()


def retry_waiting(pk: int, *, actor: str) -> None:
    """A person lets a waiting task try again, with its failures and losses forgotten.

    That is also the answer about an effect nobody could vouch for: it did not happen, send it again.
    """
    task = waiting_task(pk)
    Effect.objects.filter(task_id=pk, status="unknown").update(status="prepared", updated_at=Now())
    make_ready(task, failures=0, losses=0, suspect=False)
    events.append("task.returned", actor=actor, run_id=task.run_id, task_id=task.pk, data={"attempt": task.attempt})
    again.redo_what_failed(pk)


def approve_call(pk: int, *, actor: str) -> None:
    """A person approves the call of a tool: the agent runs again, and finds it approved."""
    task = waiting_task(pk)
    make_ready(task)
    data: dict[str, Json] = {"attempt": task.attempt, "reason": "call approved"}
    events.append("task.returned", actor=actor, run_id=task.run_id, task_id=task.pk, data=data)


def skip_waiting(pk: int, *, actor: str) -> None:
    """A person lets the run go on without a waiting task."""
    task = waiting_task(pk)
    move(task, TaskStatus.SKIPPED, wait_for="")
    events.append(
        "task.skipped", actor=actor, run_id=task.run_id, task_id=task.pk, data={"reason": "skipped by a person"}
    )
    db.advance_runs([task.pk], [False])


def decline(fence: Fence, *, kind: str, what: str) -> bool:
    """Give a running task back, into a lane that only workers who know its kind (`lanes`) take from."""
    task = fenced(fence)
    if task is None:
        return False
    end_attempt(task, AttemptStatus.SUSPENDED, error={"code": "unknown_kind", "message": f"No worker knew {what}."})
    move(task, TaskStatus.READY, lane=lanes.for_kind(kind), shift=None, ready_at=Now())
    data: dict[str, Json] = {"attempt": task.attempt, "reason": f"its worker does not know {what}"}
    events.append("task.released", actor=f"shift:{fence.shift}", run_id=task.run_id, task_id=task.pk, data=data)
    return True


def adopt(kinds: Iterable[str]) -> int:
    """Bring tasks that older workers declined back to where workers of this release take from; return how many."""
    adopted, known = 0, [lanes.for_kind(kind) for kind in kinds]
    declined = Task.objects.filter(status=TaskStatus.READY, held=False, lane__in=known)
    for task in list(declined.filter(limited=False, suspect=False)[:1000]):
        lock_run(task.run_id)
        adopted += declined.filter(pk=task.pk).update(lane=lanes.pool_of(step_in_trouble(task).lane))
    if adopted:
        db.wake_idle()
    return adopted


def live_tasks(run_id: int) -> QuerySet[Task]:
    """A run's tasks that have not ended."""
    return Task.objects.of_run(run_id).exclude(status__in=TASK_TERMINAL)


def cancel_live_tasks(run_id: int, *, reason: str, actor: str) -> int:
    """Cancel what still lives in a run, close its gates and tell shifts; return how many tasks."""
    live = list(live_tasks(run_id).select_for_update(no_key=True).order_by("id"))
    return cancel_tasks(run_id, live, reason=reason, actor=actor)


def cancel_tasks(run_id: int, live: Sequence[Task], *, reason: str, actor: str, partly: bool = False) -> int:
    """Cancel locked live tasks of a run, close their gates and tell shifts; return how many.

    `partly`: the run goes on without them, and the caller advances it.
    """
    waiting = [task.pk for task in live if task.status == TaskStatus.WAITING]
    Task.objects.filter(pk__in=[task.pk for task in live]).update(
        status=TaskStatus.CANCELLED, wait_for="", ended_at=Now()
    )
    if waiting:
        waits.end_waits([task for task in live if task.status == TaskStatus.WAITING], reason=reason)
    running = [task for task in live if task.status == TaskStatus.RUNNING]
    for task in running:
        end_attempt(task, AttemptStatus.SUSPENDED, error={"code": "cancelled", "message": reason}, used=NOTHING)
    if running:
        budget_db.settle_budgets([(task.pk, task.attempt) for task in running], [None] * len(running))
    if live:
        data: dict[str, Json] = {"tasks": [task.pk for task in live[:500]], "count": len(live), "reason": reason[:500]}
        if partly:
            data["only"] = [task.pk & INDEX for task in live]
        events.append("task.cancelled", actor=actor, run_id=run_id, data=data)
    if running:
        db.notify_shifts(f"cancel:{run_id}")
    return len(live)


def cancel_rest(pk: int) -> None:
    """Cancel the live tasks of a run that lead to nothing but the task `pk`, which no longer waits for them."""
    run_id, index = pk >> TASK_BITS, pk & INDEX
    tasks = {
        task.pk & INDEX: task for task in Task.objects.of_run(run_id).select_for_update(no_key=True).order_by("id")
    }
    useless = {index}
    while found := {
        place
        for place, task in tasks.items()
        if place not in useless
        and task.status not in TASK_TERMINAL
        and useless.issuperset(task.successors)
        and task.successors
    }:
        useless |= found
    rest = [tasks[place] for place in sorted(useless - {index})]
    if rest:
        cancel_tasks(run_id, rest, reason="enough others succeeded", actor="engine", partly=True)
        db.advance_runs([task.pk for task in rest], [False] * len(rest))


def strand(task: Task, request: GateRequest) -> None:
    """A blocked task of a run that nothing would move any more waits for a person."""
    locked = Task.objects.select_for_update(no_key=True).get(pk=task.pk, status=TaskStatus.BLOCKED)
    open_gate(locked, request)


def quarantine(pk: int, request: GateRequest) -> None:
    """A task that lost three workers waits for a person."""
    task = waiting_task(pk, wait_for=("quarantine",))
    open_gate(task, request, wait_for="quarantine")
