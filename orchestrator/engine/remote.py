"""Calls that are answered from outside: parked without holding a place, and taken up again by the next attempt.

1. The adapter of an agent that works elsewhere returns `Deferred`: the task waits for an `answer`, and a `RemoteCall`
   holds what its worker needs. Ten thousand of them are ten thousand rows.
2. The answer, cleaned and checked, is kept on that row and the task made ready.
3. Its next attempt takes the answer as if the agent had just returned it, so that gates, budgets, retries, breakers and
   deliveries are those of every other agent.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from agents import wire
from agents.models import Agent
from agents.outcomes import DEFERRING
from agents.registry import find as registered
from agents.types import Deferred, Failed, Json, Outcome
from orchestrator import db, events, presence
from orchestrator.engine import compensation, gates, questions, transitions
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.attempts import end_attempt
from orchestrator.engine.gates import Subject
from orchestrator.engine.plans import step_in_trouble
from orchestrator.models import TASK_BITS, Attempt, RemoteCall, Run, Task
from orchestrator.states import AttemptStatus, TaskStatus

WAITS: Final = "answer"  # Task.wait_for of a parked call
MOST_LOSSES: Final = 3
_BATCH: Final = 500


def park(job: Assignment, shift: int, given: dict[str, Json], sent: dict[str, Json], deferred: Deferred) -> None:
    """Let a running task wait for its answer, unless that has come already."""
    with transaction.atomic():
        run = transitions.lock_run(job.claimed.run_id)
        fence = transitions.Fence(task_id=job.claimed.id, attempt=job.claimed.attempt, shift=shift)
        task = transitions.fenced(fence)
        if task is None:
            return
        end_attempt(task, AttemptStatus.SUSPENDED, version=deferred.version, used=job.used)
        transitions.move(task, TaskStatus.WAITING, wait_for=WAITS, input=given)
        early = _early_answer(task)
        RemoteCall.objects.update_or_create(
            task_id=task.pk, defaults={**_columns(job, run, task, sent, deferred), **early}
        )
        data: dict[str, Json] = {"attempt": task.attempt, "for": WAITS}
        events.append("task.waiting", actor="engine", run_id=run.pk, task_id=task.pk, data=data)
        if deferred.guard:
            told: dict[str, Json] = {"agent": job.step.agent, "attempt": task.attempt, "guard": deferred.guard}
            events.append("task.guarded", actor="engine", run_id=run.pk, task_id=task.pk, data=told)
        if early:
            task.refresh_from_db()
            _go_on(task)


def _columns(job: Assignment, run: Run, task: Task, sent: dict[str, Json], deferred: Deferred) -> dict[str, Any]:
    patience = settings.WORKER_PATIENCE_SECONDS if deferred.pulled else job.step.timeout
    return {
        "attempt": task.attempt,
        "agent": Agent.objects.get(name=job.step.agent),
        "agent_version": deferred.version,
        "pulled": deferred.pulled,
        "key": key_of(job),
        "priority": run.priority,
        **_handed(job, task, sent, deferred),
        "correlation_id": job.correlation_id or run.correlation_id or "",
        "timeout": job.step.timeout,
        "parked_at": Now(),
        "due_at": db.clock() + timedelta(seconds=patience),
        "leased_at": None if deferred.pulled else Now(),
        "lease_until": None,
        "worker": "",
        "holder": None,
        "answer": None,
        "answered_at": None,
        "taken_by": None,
        "ended_at": None,
    }


def _handed(job: Assignment, task: Task, sent: dict[str, Json], deferred: Deferred) -> dict[str, Any]:
    """What a worker gets: what the agent's guard has left of it. A remote agent has got that already."""
    if not deferred.pulled:
        return {"input": sent, "note": job.claimed.note, "approvals": questions.kept(task)}
    approvals = [asdict(one) for one in deferred.approvals]
    return {"input": deferred.given, "note": deferred.note, "approvals": approvals}


def _early_answer(task: Task) -> dict[str, Any]:
    """What a remote agent said of this attempt before we had written down that it has it."""
    early = RemoteCall.objects.filter(task_id=task.pk, attempt=task.attempt, answered_at__isnull=False).first()
    return {"answer": early.answer, "answered_at": early.answered_at} if early else {}


def key_of(job: Assignment) -> str:
    """The idempotency key of a task's calls."""
    return f"task-{job.claimed.id}-{job.claimed.revision}"


# Answers


def open_call(task: Task, attempt: int) -> RemoteCall | None:
    """The locked call of a locked task that still waits for this attempt's answer."""
    if task.status != TaskStatus.WAITING or task.wait_for != WAITS or task.attempt != attempt:
        return None
    return (
        RemoteCall.objects.select_for_update(no_key=True)
        .filter(task_id=task.pk, attempt=attempt, answered_at=None, ended_at=None)
        .first()
    )


def answer(call: RemoteCall, task: Task, outcome: Outcome) -> None:
    """Keep an answer and let the task go on. The caller holds the locks of run, task and call."""
    RemoteCall.objects.filter(pk=call.pk).update(answer=_packed(outcome), answered_at=Now(), lease_until=None)
    _go_on(task)


def answer_early(task: Task, attempt: int, agent: Agent, outcome: Outcome) -> None:
    """Keep an answer whose attempt has not let go of the call yet: `park` finds it."""
    columns = {"agent": agent, "agent_version": outcome.version, "pulled": False, "input": {}}
    columns |= {"key": f"task-{task.pk}-{task.revision}"}
    columns |= {"timeout": 0, "due_at": Now(), "taken_by": None, "ended_at": None}
    columns |= {"attempt": attempt, "answer": _packed(outcome), "answered_at": Now()}
    RemoteCall.objects.update_or_create(task_id=task.pk, defaults=columns)


def take(job: Assignment) -> tuple[Outcome, float] | None:
    """The answer that this attempt was made ready for and the seconds it took; None when there is none to take.

    An answer is taken once, but again where the worker that took it was lost.
    """
    if job.claimed.attempt < 2:
        return None
    with transaction.atomic():
        found = RemoteCall.objects.select_for_update(no_key=True)
        call = found.filter(task_id=job.claimed.id, key=key_of(job), answered_at__isnull=False).first()
        if call is None or (call.taken_by is not None and not _was_lost(call)):
            return None
        RemoteCall.objects.filter(pk=call.pk).update(taken_by=job.claimed.attempt)
    assert call.answered_at is not None
    assert call.answer is not None
    since = call.leased_at or call.parked_at
    return wire.unpack_outcome(call.answer), max(0.0, (call.answered_at - since).total_seconds())


def defers(agent: str, version: int | None) -> bool:
    """Whether an agent is one whose answers may come later."""
    spec = registered(agent, version)
    return spec is not None and spec.kind in DEFERRING


def _was_lost(call: RemoteCall) -> bool:
    taken = Attempt.objects.filter(task_id=call.task_id, number=call.taken_by or 0)
    return taken.filter(status=AttemptStatus.EXPIRED).exists()


def _packed(outcome: Outcome) -> dict[str, Any]:
    packed: dict[str, Any] = orjson.loads(orjson.dumps(wire.pack_outcome(outcome)))
    return packed


def _go_on(task: Task) -> None:
    transitions.make_ready(task)
    data: dict[str, Json] = {"attempt": task.attempt, "reason": "answered"}
    events.append("task.returned", actor="engine", run_id=task.run_id, task_id=task.pk, data=data)


# Repairs


def tend() -> None:
    """End calls that take too long, take back those whose workers are lost, forget those that nobody waits for."""
    open_calls = RemoteCall.objects.filter(answered_at=None, ended_at=None)
    now = db.clock()
    for pk, attempt in _first(open_calls.filter(due_at__lte=now).order_by("due_at")):
        _overdue(pk, attempt)
    for pk, attempt in _first(open_calls.filter(lease_until__lte=now).order_by("lease_until")):
        lose(pk, attempt)


def _first(calls: Any) -> Sequence[tuple[int, int]]:
    return list(calls.values_list("task_id", "attempt")[:_BATCH])


@transaction.atomic
def _overdue(pk: int, attempt: int) -> None:
    transitions.lock_run(pk >> TASK_BITS)
    task = Task.objects.select_for_update(no_key=True).get(pk=pk)
    call = open_call(task, attempt)
    if call is None:
        RemoteCall.objects.filter(task_id=pk, attempt=attempt, answered_at=None).update(ended_at=Now())
    elif call.due_at <= db.clock():
        if not call.pulled:
            presence.remote_silent(call)
        answer(call, task, _too_late(call))


def _too_late(call: RemoteCall) -> Failed:
    name = call.agent.name
    if call.leased_at is None:
        message = f"No worker fetched the call of {name}; start one, or see that its token is valid."
        return Failed("transient", "no_worker", message, call.agent_version)
    message = f"{name} did not finish within {call.timeout:g} seconds."
    return Failed("transient", "timeout", message, call.agent_version)


@transaction.atomic
def lose(pk: int, attempt: int) -> None:
    """A worker stopped renewing its lease: not the agent's failure. The third such loss waits for a person."""
    run = transitions.lock_run(pk >> TASK_BITS)
    task = Task.objects.select_for_update(no_key=True).get(pk=pk)
    call = open_call(task, attempt)
    if call is None:
        RemoteCall.objects.filter(task_id=pk, attempt=attempt, answered_at=None).update(ended_at=Now())
        return
    if call.lease_until is None or call.lease_until > db.clock():
        return
    losses = task.losses + 1
    Attempt.objects.filter(task_id=pk, number=attempt).update(
        status=AttemptStatus.EXPIRED, error={"code": "worker_lost"}, ended_at=Now()
    )
    RemoteCall.objects.filter(pk=call.pk).update(ended_at=Now())
    data: dict[str, Json] = {"attempt": attempt, "worker": call.worker, "losses": losses}
    events.append(
        "task.lost", actor="engine", run_id=run.pk, task_id=pk, data={**data, "quarantined": losses >= MOST_LOSSES}
    )
    if losses < MOST_LOSSES:
        transitions.make_ready(task, losses=losses)
        return
    Task.objects.filter(pk=pk).update(losses=losses)
    error: dict[str, Json] = {"kind": "infrastructure", "code": "worker_lost"}
    error["message"] = "three external workers were lost while they had it"
    subject = Subject(
        task_id=pk,
        run_id=run.pk,
        workflow_id=run.workflow_id,
        requested_by=run.started_by_id,
        undoing=compensation.undoes(task.spec),
    )
    rule = "three workers were lost while running it"
    request = gates.for_trouble(step_in_trouble(task), subject, kind="quarantine", rule=rule, error=error)
    transitions.open_gate(task, request, wait_for="quarantine")


def give_back(call: RemoteCall, task: Task, *, reason: str) -> None:
    """A worker's call goes back unjudged: it is handed out again, under a new attempt."""
    RemoteCall.objects.filter(pk=call.pk).update(ended_at=Now(), lease_until=None)
    transitions.make_ready(task)
    data: dict[str, Json] = {"attempt": task.attempt, "reason": reason}
    events.append("task.released", actor="engine", run_id=task.run_id, task_id=task.pk, data=data)
