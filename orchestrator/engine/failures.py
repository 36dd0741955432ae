"""The moves of a task that has failed: again, to its fallback agent, to people, left out, or the end of its run.

`policy` decides; this writes. Every function runs inside a transaction whose caller has called `lock_run()` first.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from django.db.models import F
from django.db.models.functions import Now

from agents.types import Json
from orchestrator import db, events
from orchestrator.definitions.plan import PlanStep
from orchestrator.engine import breakers, compensation, gates, outcomes, policy
from orchestrator.engine.attempts import end_attempt
from orchestrator.engine.coordination import TELLS_REJECTION
from orchestrator.engine.fallback import fall_back
from orchestrator.engine.gates import Subject
from orchestrator.engine.plans import step_in_trouble
from orchestrator.engine.transitions import (
    Fence,
    cancel_live_tasks,
    fenced,
    move,
    open_gate,
    waiting_task,
)
from orchestrator.models import Run, Task, Timer
from orchestrator.ports import GateRequest
from orchestrator.states import AttemptStatus, RunStatus, TaskStatus

LONGEST_NOTE: Final = 4_000  # characters of a rejection that its pattern is told


def fail_attempt(
    fence: Fence, error: dict[str, Json], *, step: PlanStep, retry_after: float | None, ask: GateRequest
) -> bool:
    """An attempt failed by itself: what follows is what `policy.next_move` says."""
    task = fenced(fence)
    if task is None:
        return False
    tries = task.failures + 1
    error = {**error, "attempts": tries}
    end_attempt(task, AttemptStatus.FAILED, version=ask.agent_version or 0, error=error, used=fence.used)
    kind = str(error["kind"])
    is_open = breakers.failed(task, error)
    match policy.next_move(step, kind, tries, breaker_open=is_open):
        case "retry":
            delay = policy.backoff(step.retry, task.failures) if retry_after is None else retry_after
            _schedule_retry(task, error, delay=min(delay, policy.LONGEST_WAIT))
        case "fall_back":
            fall_back(task, step, error)
        case "skip":
            fail_softly(task, error, step=step)
        case "ask":
            Task.objects.filter(pk=task.pk).update(failures=tries, error=error)
            open_gate(task, ask)
        case "fail":
            fail(task, error, step=step, actor="engine")
    return True


def fail_waiting(pk: int, *, code: str, message: str, actor: str, note: str = "") -> None:
    """A verdict ends a waiting task and so its run; a pattern's question tells its pattern instead, with the note."""
    task = waiting_task(pk)
    step = step_in_trouble(task)
    before = task.error if isinstance(task.error, dict) else {}
    error: dict[str, Json] = {"kind": before.get("kind", "permanent"), "code": code, "message": message}
    if before:
        error["after"] = policy.name_of(before)
    if code == "rejected" and (task.spec or {}).get(TELLS_REJECTION):
        fail_softly(task, {**error, "note": note[:LONGEST_NOTE]}, step=step, actor=actor)
    elif compensation.is_undoing(task):
        fail_softly(task, error, step=step, actor=actor)
    else:
        fail(task, error, step=step, actor=actor)


def time_out(pk: int, *, message: str, actor: str) -> None:
    """Nobody did it in time: the step ends as timed out, and the run goes on or fails as the step says."""
    task = waiting_task(pk)
    step = step_in_trouble(task)
    error: dict[str, Json] = {"kind": "permanent", "code": "timed_out", "message": message}
    if compensation.is_undoing(task) or step.on_error == "skip" or step.optional:
        fail_softly(task, error, step=step, actor=actor)
    else:
        fail(task, error, step=step, actor=actor)


def fail_step(task: Task, error: dict[str, Json], *, step: PlanStep, run: Run) -> None:
    """What a step waited for came to nothing, and trying again cannot help: skip, ask or fail, as the step says."""
    match policy.next_move(replace(step, fallback=""), "permanent", 1):
        case "skip":
            fail_softly(task, error, step=step)
        case "ask":
            ask_about(task, error, step=step, run=run, rule=f"on_error: {step.on_error}")
        case _:
            fail(task, error, step=step, actor="engine")


def ask_about(task: Task, error: dict[str, Json], *, step: PlanStep, run: Run, rule: str) -> None:
    """Ask people what is to become of a task that cannot go on by itself."""
    subject = Subject(
        task_id=task.pk,
        run_id=run.pk,
        workflow_id=run.workflow_id,
        requested_by=run.started_by_id,
        given=task.input or {},
        undoing=compensation.is_undoing(task),
    )
    Task.objects.filter(pk=task.pk).update(failures=F("failures") + 1, error=error)
    open_gate(task, gates.for_trouble(step, subject, kind="exception", rule=rule, error=error))


def _schedule_retry(task: Task, error: dict[str, Json], *, delay: float) -> None:
    move(task, TaskStatus.WAITING, wait_for="retry", failures=F("failures") + 1, error=error)
    timer = Timer.objects.create(kind="task_retry", ref=task.pk, due_at=Now() + timedelta(seconds=delay))
    timer.refresh_from_db(fields=["due_at"])
    events.append(
        "task.retry_scheduled",
        actor="engine",
        run_id=task.run_id,
        task_id=task.pk,
        data={"attempt": task.attempt, "code": error["code"], "due": timer.due_at.isoformat()},
    )


def fail_softly(task: Task, error: dict[str, Json], *, step: PlanStep, actor: str = "engine") -> None:
    """The step failed and the run goes on without it; unless it was optional, the run's result is incomplete now."""
    _record_failure(task, error, actor=actor)
    if task.parent is None and not compensation.is_undoing(task):  # what a spawned task's failure means its parent says
        run = Run.objects.filter(pk=task.run_id)
        run.update(failed=F("failed") + 1)
        if not step.optional:
            run.update(outcome=outcomes.with_failure(run.get(), task, step, error))
    db.advance_runs([task.pk], [False])


def fail(task: Task, error: dict[str, Json], *, step: PlanStep, actor: str) -> None:
    """The step failed and so does its run: what lives in it is cancelled, and what it did undone if it says so."""
    _record_failure(task, error, actor=actor)
    cancel_live_tasks(task.run_id, reason=f"step {task.key} failed", actor=actor)
    told = policy.without_details(error)
    Run.objects.filter(pk=task.run_id).update(failed=F("failed") + 1, error={**told, "step": task.key})
    run = Run.objects.get(pk=task.run_id)
    if compensation.begin(run, ends_as=RunStatus.FAILED, kind=str(error.get("kind", "")), actor=actor):
        return
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, remaining=0, ended_at=Now())
    events.append("run.failed", actor=actor, run_id=run.pk, data={"step": task.key, "code": error["code"]})


def _record_failure(task: Task, error: dict[str, Json], *, actor: str) -> None:
    move(task, TaskStatus.FAILED, wait_for="", failures=F("failures") + 1, error=error)
    events.append(
        "task.failed",
        actor=actor,
        run_id=task.run_id,
        task_id=task.pk,
        data={"attempt": task.attempt, "code": error["code"], "error": policy.name_of(error)},
    )
