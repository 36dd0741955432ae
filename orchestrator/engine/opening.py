"""Tasks that begin to wait for a call back or a run: one small fenced transaction each, in a thread of the worker.

A late one (the attempt no longer stands) changes nothing.
"""

from datetime import datetime
from typing import Any

import orjson
from django.db import transaction
from django.db.models.functions import Now

from agents.types import Completed, Json
from orchestrator import callback_tokens, events, orders, waits_db
from orchestrator.engine import authorising, failures, families, starting, transitions, waits
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.attempts import end_attempt
from orchestrator.engine.transitions import Fence
from orchestrator.errors import OrchestratorError, TooDeep
from orchestrator.models import TASK_BITS, Run, Stop, Task, Wait
from orchestrator.states import RUN_TERMINAL, AttemptStatus, RunStatus, TaskStatus

DEEPEST = 8  # runs that start runs, one inside the other


@transaction.atomic
def prepare_callback(job: Assignment, shift: int) -> str | None:
    """Open the step's secret address before anybody can be told of it, and return its token.

    The empty text if what is waited for has come already, during an earlier attempt; None for a late attempt.
    """
    transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(_fence(job, shift))
    if task is None:
        return None
    remembered = dict(task.state or {})
    if "received" in remembered:
        return ""
    before = Wait.objects.filter(task_id=task.pk).first()
    serial = int(remembered.get("serial", 0))
    if before is not None:
        is_open = before.ended_at is None
        serial = callback_tokens.following(task.pk, before.token_hash, remembered=serial) - is_open
    token = callback_tokens.issue(task.pk, serial)
    assert job.step.wait is not None
    columns = {"schema": job.step.wait.schema, "token_hash": callback_tokens.digest(token)}
    if before is None or before.ended_at is not None or before.token_hash != columns["token_hash"]:
        _open_wait(task.pk, **columns)
    Task.objects.filter(pk=task.pk).update(state={**remembered, "serial": serial})
    return token


@transaction.atomic
def open_callback(job: Assignment, shift: int, given: dict[str, Json], outcome: Completed | None) -> None:
    """Wait for the call back, unless it came while the address was still being handed over."""
    version, actor = (outcome.version, f"agent:{job.step.agent}") if outcome else (0, "engine")
    task = suspend(job, shift, wait_for="callback", given=given, version=version)
    if task is None:
        return
    assert job.step.wait is not None
    until = waits.set_deadline(task.pk, job.step.wait.deadline_s)
    _say(task, {"until": _iso(until)}, actor=actor)
    remembered = dict(task.state or {})
    if "received" in remembered:
        output = orjson.dumps(remembered.pop("received")).decode()
        waits_db.finish_waits("callback", [waits_db.Finish(task.pk, output, {})], actor="callback")
    Task.objects.filter(pk=task.pk).update(state=remembered)


@transaction.atomic
def start_child(job: Assignment, shift: int, given: dict[str, Json]) -> None:
    """Start the run that the task waits for, in one transaction with the wait: there is never one without the other.

    A run of this task that still lives and has the same input is taken up again instead. Raises what `orders` refuses,
    and TooDeep.
    """
    parent = transitions.lock_run(job.claimed.run_id)
    _refuse_depth(parent)
    authorising.require_start(parent, step=job.step.key, workflow=job.step.workflow)
    task = suspend(job, shift, wait_for="run", given=given)
    if task is None:
        return
    child = _living_child(task, given) or _start(job, parent, task.pk, given)
    if parent.status == RunStatus.PAUSED:  # since this step was claimed: what it starts stands still with the rest
        _pause_with(parent, child)
    elif (stop := _stop_of(parent)) is not None:
        _hold_with(parent, child, stop)
    until = waits.set_deadline(task.pk, job.step.wait.deadline_s if job.step.wait else 0)
    Task.objects.filter(pk=task.pk).update(state={"run": child})
    _say(task, {"run": child, "workflow": job.step.workflow, "until": _iso(until)})


@transaction.atomic
def refuse_child(job: Assignment, shift: int, given: dict[str, Json], refusal: OrchestratorError) -> None:
    """The run could not be started: the step fails as its definition says."""
    run = transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(_fence(job, shift))
    if task is None:
        return
    error: dict[str, Json] = {"kind": "permanent", "code": refusal.code, "message": str(refusal)}
    end_attempt(task, AttemptStatus.FAILED, error=error, used=job.used)
    Task.objects.filter(pk=task.pk).update(input=given)
    failures.fail_step(task, error, step=job.step, run=run)


def _start(job: Assignment, parent: Run, task: int, given: dict[str, Json]) -> int:
    order = orders.draw_up(
        orders.find_workflow(job.step.workflow),
        given,
        user=parent.started_by_id,
        title="",
        key=None,
        correlation=parent.correlation_id,
        priority=parent.priority,
        actor="engine",
    )
    child = starting.begin(order)
    Run.objects.filter(pk=child).update(parent_task=task)
    return child


def _stop_of(parent: Run) -> Stop | None:
    """What holds the workflow of a run that has started another one meanwhile."""
    return Stop.objects.filter(scope=Stop.Scope.WORKFLOW, ref=parent.workflow_id, lifted_at=None).first()


def _hold_with(parent: Run, child: int, stop: Stop) -> None:
    run = transitions.lock_run(child)
    if run.status == RunStatus.RUNNING and run.workflow_id != parent.workflow_id:
        reason = f"the workflow of run {parent.pk}, which started it, is held"
        families.pause_with(run, mark=-stop.pk, actor="engine", reason=reason)


def _pause_with(parent: Run, child: int) -> None:
    run = transitions.lock_run(child)
    if run.status == RunStatus.RUNNING:
        reason = f"run {parent.pk}, which started it, is paused"
        families.pause_with(run, mark=parent.paused_with or parent.pk, actor="engine", reason=reason)


def _living_child(task: Task, given: dict[str, Json]) -> int | None:
    living = Run.objects.filter(parent_task=task.pk).exclude(status__in=RUN_TERMINAL).order_by("-pk")
    return next((pk for pk, its in living.values_list("pk", "input") if its == given), None)


def _refuse_depth(parent: Run) -> None:
    depth, above = 1, parent.parent_task
    while above is not None:
        depth += 1
        if depth >= DEEPEST:
            raise TooDeep(limit=DEEPEST)
        above = Run.objects.values_list("parent_task", flat=True).get(pk=above >> TASK_BITS)


def suspend(
    job: Assignment, shift: int, *, wait_for: str, given: dict[str, Json] | None = None, version: int = 0
) -> Task | None:
    """End a running attempt that goes on when what it waits for has come; None for a late one."""
    transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(_fence(job, shift))
    if task is None:
        return None
    end_attempt(task, AttemptStatus.SUSPENDED, version=version, used=job.used)
    transitions.move(task, TaskStatus.WAITING, wait_for=wait_for, input=given)
    return task


def _open_wait(task: int, **columns: Any) -> None:
    fresh = {"kind": Wait.Kind.CALLBACK, "name": "", "key": "", "match": "", "opened_at": Now(), "ended_at": None}
    Wait.objects.update_or_create(task_id=task, defaults={**fresh, **columns})


def _say(task: Task, facts: dict[str, Json], *, actor: str = "engine") -> None:
    data: dict[str, Json] = {"attempt": task.attempt, "for": _WORDS[task.kind], **facts}
    said = {name: value for name, value in data.items() if value not in ("", None)}
    events.append("task.waiting", actor=actor, run_id=task.run_id, task_id=task.pk, data=said)


_WORDS = {"wait_callback": "callback", "subworkflow": "run"}


def _fence(job: Assignment, shift: int) -> Fence:
    return Fence(task_id=job.claimed.id, attempt=job.claimed.attempt, shift=shift)


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
