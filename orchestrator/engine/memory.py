"""`agents.types.Memory` for one attempt: each verb is one small fenced transaction, safe to repeat."""

from collections.abc import Callable
from typing import Any

from django.db import transaction

from agents import checkpoints, counted, registry
from agents.errors import AttemptOver, CheckpointRefused, MemoryRefused, StateRefused, StateStale
from agents.guardrails import violations
from agents.guardrails.violations import Seen
from agents.memory import store
from agents.memory.store import Scope
from agents.types import Json
from orchestrator import db, events
from orchestrator.engine import checkpoints as save_points
from orchestrator.engine import mailing, run_state, transitions
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.effects import InThread
from orchestrator.engine.run_state import Write
from orchestrator.errors import StaleState, StateNotWritten, TooManyCheckpoints
from orchestrator.models import StateEntry, Task
from orchestrator.states import TaskStatus

MOST_KEYS = 1000
_READS = frozenset({"get", "keys", "recall", "last_checkpoint"})
FINDINGS = "findings"  # the part of a step's state that lists what its agent has found
LONGEST_FINDING = 2_000  # characters
MOST_FINDINGS = 200


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
        if verb in _READS:
            counted.default.count(counted.MEMORY_READS, self._job.step.agent)
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
def _discover(job: Assignment, given: dict[str, Any]) -> Json:
    """The agent says what it found; the engine writes it down. An attempt that says it again adds nothing."""
    text, confidence = given["finding"], given["confidence"]
    task = _standing(job)
    key = f"{task.key}.{FINDINGS}"
    if not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST_FINDING:
        raise StateRefused(key=key, problem=f"a finding is a text of 1 to {LONGEST_FINDING:,} characters")
    sure = confidence is None or (isinstance(confidence, int | float) and 0 <= confidence <= 1)
    if not sure or isinstance(confidence, bool):
        raise StateRefused(key=key, problem="a confidence is a number from 0 to 1, or none")
    before = run_state.current(task.run_id, key)
    found: list[dict[str, Any]] = list(before.value) if before and isinstance(before.value, list) else []
    known = [one["finding"] for one in found]
    if text in known:
        return known.index(text) + 1
    if len(found) >= MOST_FINDINGS:
        raise StateRefused(key=key, problem=f"a step has at most {MOST_FINDINGS} findings")
    said = {"agent_id": job.step.agent, "confidence": confidence, "timestamp": db.clock().isoformat()}
    change = Write(key, [*found, {**said, "finding": text}], reason="an agent found something")
    try:
        version = run_state.write(task.run_id, change, writer=_actor(job), task=task.pk)
    except StateNotWritten as refused:
        raise StateRefused(**refused.facts) from refused
    facts: dict[str, Json] = {**said, "number": len(found) + 1, "key": key, "version": version}
    events.append("finding.discovered", actor=_actor(job), run_id=task.run_id, task_id=task.pk, data=facts)
    return len(found) + 1


@transaction.atomic
def _checkpoint(job: Assignment, given: dict[str, Any]) -> Json:
    notes = checkpoints.checked(given["notes"])
    task = _standing(job)
    try:
        return save_points.make(task.run_id, name=given["name"], notes=notes, actor=_actor(job), task=task.pk)
    except TooManyCheckpoints as refused:
        raise CheckpointRefused(field="number", problem=str(refused)) from refused


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
    "discover": _discover,
    "last_checkpoint": _last_checkpoint,
    "remember": _remember,
    "recall": _recall,
    "forget": _forget,
    "summarise": _summarise,
}
