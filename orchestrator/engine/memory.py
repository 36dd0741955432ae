"""`agents.types.Memory` for one attempt: each verb is one small fenced transaction, safe to repeat."""

from collections.abc import Callable
from typing import Any

from django.db import transaction

from agents import checkpoints, registry
from agents.errors import AttemptOver, CheckpointRefused, MemoryRefused, StateRefused, StateStale
from agents.guardrails import violations
from agents.guardrails.violations import Seen
from agents.memory import store
from agents.memory.store import Scope
from agents.types import Json
from orchestrator.engine import checkpoints as save_points
from orchestrator.engine import findings, mailing, run_state, transitions
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.effects import InThread
from orchestrator.engine.run_state import Write
from orchestrator.errors import StaleState, StateNotWritten, TooManyCheckpoints
from orchestrator.models import StateEntry, Task
from orchestrator.states import TaskStatus

MOST_KEYS = 1000


class TaskMemory:
    """What the agent of one attempt may read, and what it asks to be written, in its run's state."""

    __slots__ = ("_in_thread", "_job", "was_used")

    def __init__(self, job: Assignment, *, in_thread: InThread) -> None:
        self._job = job
        self._in_thread = in_thread
        self.was_used = False  # the agent knows what only its run knows: what it says is not for others

    async def ask(self, verb: str, given: dict[str, Json]) -> Json:
        """Carry out one verb (see agents.memory). Raises StateStale, StateRefused, CheckpointRefused, AttemptOver."""
        self.was_used = True
        answer: Json = await self._in_thread(_VERBS[verb], self._job, given)
        return answer


def _get(job: Assignment, given: dict[str, Any]) -> Json:
    found = run_state.current(job.claimed.run_id, _whole(job, given["key"]))
    return {"value": found.value, "version": found.version, "writer": found.writer} if found else None


def _keys(job: Assignment, given: dict[str, Any]) -> Json:
    rows = StateEntry.objects.filter(run_id=job.claimed.run_id, key__startswith=given["prefix"])
    newest = rows.order_by("key", "-version").distinct("key").values_list("key", "deleted")[:MOST_KEYS]
    return [key for key, deleted in newest if not deleted]


def _whole(job: Assignment, name: str) -> str:
    return name if "." in name else f"{Task.objects.values_list('key', flat=True).get(pk=job.claimed.id)}.{name}"


@transaction.atomic
def _write(job: Assignment, given: dict[str, Any]) -> Json:
    task = _standing(job)
    key = run_state.own_key(given["key"], task_key=task.key, shares=job.step.shares)
    change = Write(key, given.get("value"), given["expected"], "value" not in given, given["reason"])
    try:
        return run_state.write(task.run_id, change, writer=_actor(job), task=task.pk)
    except StaleState as stale:
        facts = {name: stale.facts[name] for name in ("key", "version", "writer", "expected")}
        raise StateStale(**facts) from stale
    except StateNotWritten as refused:
        raise StateRefused(**refused.facts) from refused


@transaction.atomic
def _checkpoint(job: Assignment, given: dict[str, Any]) -> Json:
    notes = checkpoints.checked(given["notes"])
    task = _standing(job)
    try:
        return save_points.make(task.run_id, name=given["name"], notes=notes, actor=_actor(job), task=task.pk)
    except TooManyCheckpoints as refused:
        raise CheckpointRefused(field="number", problem=str(refused)) from refused


@transaction.atomic
def _finding(job: Assignment, given: dict[str, Any]) -> Json:
    findings.record(_standing(job), given, agent=job.step.agent)
    return None


def _last_checkpoint(job: Assignment, given: dict[str, Any]) -> Json:
    found = save_points.last_of(job.claimed.id)
    if found is None:
        return None
    parts = ("number", "name", "decisions", "completion", "findings", "next_steps")
    return {part: getattr(found, part) for part in parts}


def _remember(job: Assignment, given: dict[str, Any]) -> Json:
    return _kept(job, given, store.remember)


def _summarise(job: Assignment, given: dict[str, Any]) -> Json:
    return _kept(job, given, store.summarise)


def _kept(job: Assignment, given: dict[str, Any], keep: Callable[..., int]) -> Json:
    """Embedding takes a while and locks nothing; the attempt is looked at in the transaction that writes."""
    scope = _scope(job)
    try:
        return keep(scope, given, before=lambda: _standing(job))
    except MemoryRefused as refused:
        if rule := str(refused.facts.get("rule") or ""):
            violations.record(Seen(scope.agent, scope.version, rule, {"memory": str(refused)}, scope.key))
        raise


def _recall(job: Assignment, given: dict[str, Any]) -> Json:
    return store.recall(_scope(job), given)


def _forget(job: Assignment, given: dict[str, Any]) -> Json:
    return store.forget(_scope(job), given, before=lambda: _standing(job))


def _scope(job: Assignment) -> Scope:
    spec = registry.find(job.step.agent, job.step.agent_version)
    key = f"task-{job.claimed.id}-{job.claimed.revision}"
    return Scope(
        agent=job.step.agent,
        version=spec.version if spec else 0,
        realm=job.plan.name,
        run=job.claimed.run_id,
        task=job.claimed.id,
        key=key,
        sees=spec.screen.guard.sees if spec else frozenset(),
    )


def _standing(job: Assignment) -> Task:
    """The locked task, if this attempt still runs it: what a replaced one writes counts no more."""
    transitions.lock_run(job.claimed.run_id)
    running = Task.objects.select_for_update(no_key=True).filter(
        pk=job.claimed.id, attempt=job.claimed.attempt, status=TaskStatus.RUNNING
    )
    task = running.first()
    if task is None:
        raise AttemptOver
    return task


def _actor(job: Assignment) -> str:
    return f"agent:{job.step.agent}"


_VERBS = {
    "send": mailing.send,
    "receive": mailing.receive,
    "get": _get,
    "keys": _keys,
    "put": _write,
    "delete": _write,
    "checkpoint": _checkpoint,
    "last_checkpoint": _last_checkpoint,
    "finding": _finding,
    "remember": _remember,
    "recall": _recall,
    "forget": _forget,
    "summarise": _summarise,
}
