"""Agents for steps that name none: chosen when the task has been claimed, and stored with it.

A task whose attempt failed, or whose worker died, moves to another agent once; otherwise it stays with the one it has.
The choice is made by the worker and written in one transaction with the place that it takes of an agent with limits, so
limits hold however many workers choose at once. Where all have no place, the task goes back to the lane in the name of
the one with the shortest queue, and the claim starts it like any task of an agent with limits.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, OuterRef, Subquery

from agents.health import Health, health_by_agent
from agents.models import Agent, AgentVersion
from agents.types import Json
from orchestrator import budget_db, budgets, events
from orchestrator.engine import gates, returns, transitions
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.attempts import end_attempt
from orchestrator.engine.gates import Subject
from orchestrator.engine.lanes import BLOCKING, DEFAULT
from orchestrator.engine.plans import step_of
from orchestrator.models import Attempt, Breaker, Stop, Task
from orchestrator.selection import Candidate, Choice
from orchestrator.selection import choose as choose_best
from orchestrator.states import AttemptStatus, TaskStatus

WAITS: Final = "agent"  # wait_for of a task for which every able agent is out of service
TENDED: Final = 200
UNCOUNTED: Final = 1_000_000  # places of an agent that is limited by its rate alone
WINDOW: Final = 5_000  # tasks after which what agents were given counts half


@dataclass(slots=True)
class _Given:
    """How many tasks this process gave each agent, fading, so that equals are given equally many."""

    counts: Counter[int]
    lock: threading.Lock

    def note(self, agent: int) -> None:
        """One more."""
        with self.lock:
            self.counts[agent] += 1
            if self.counts.total() > WINDOW:
                self.counts = Counter({one: count // 2 for one, count in self.counts.items()})

    def of(self, agents: Sequence[int]) -> dict[int, int]:
        """For each agent its count; a newcomer starts where the least of the others is, and is not flooded."""
        with self.lock:
            known = [self.counts[agent] for agent in agents if agent in self.counts]
            least = min(known, default=0)
            return {agent: self.counts.setdefault(agent, least) for agent in agents}


_given: Final = _Given(Counter(), threading.Lock())
_choosing: Final = threading.Lock()  # one choice at a time in a process: each sees what the last one gave


def choose(job: Assignment, shift: int) -> bool:
    """Give the task its agent; False if its task waits for one, or has been taken away meanwhile."""
    chosen: dict[str, Any] = (job.claimed.spec or {}).get("chosen", {})
    if job.step.agent and job.step.agent != chosen.get("agent"):
        return True  # a person, or a fallback, has named it
    with _choosing:
        return _choose(job, shift, chosen)


@transaction.atomic
def _choose(job: Assignment, shift: int, chosen: dict[str, Any]) -> bool:
    task = Task.objects.filter(pk=job.claimed.id).values("agent_id", "attempt", "shift").first()
    if task is None or (task["attempt"], task["shift"]) != (job.claimed.attempt, shift):
        return False
    avoid = chosen["agent"] if chosen and not chosen.get("moved") and _ended_badly(job) else ""
    has_place = bool(chosen) and task["agent_id"] is not None
    if has_place and not avoid:
        return True  # claimed in its agent's name
    assert job.step.select is not None
    found = candidates(lane=job.step.lane)
    while True:
        keep = chosen.get("agent", "")
        choice = choose_best(job.step.select, found, category=job.step.category, avoid=avoid, keep=keep)
        agent = choice.agent
        if agent is None:
            return _nobody(job, shift, choice)
        if choice.waits:
            return _queue(job, shift, agent, choice)
        if agent.at_once is None or agent.id == task["agent_id"] or budget_db.take_place(agent.id):
            break
        found = [replace(c, running=c.at_once or c.running) if c.id == agent.id else c for c in found]
    moved = bool(chosen.get("moved")) or bool(avoid and agent.name != avoid)
    return _assign(job, shift, agent, choice, moved=moved)


def _ended_badly(job: Assignment) -> bool:
    before = Attempt.objects.filter(task_id=job.claimed.id, number=job.claimed.attempt - 1)
    return before.filter(status__in=(AttemptStatus.FAILED, AttemptStatus.EXPIRED)).exists()


def _assign(job: Assignment, shift: int, agent: Candidate, choice: Choice, *, moved: bool) -> bool:
    spec = _spec(job, agent, moved=moved)
    mine = Task.objects.filter(pk=job.claimed.id, attempt=job.claimed.attempt, shift=shift, status=TaskStatus.RUNNING)
    if not mine.update(agent_id=agent.id, spec=spec, limited=agent.at_once is not None):
        return False
    _given.note(agent.id)
    _tell(job, agent, choice)
    job.step = replace(job.step, agent=agent.name, agent_version=None)
    return True


def _spec(job: Assignment, agent: Candidate, *, moved: bool) -> dict[str, Any]:
    spec = job.claimed.spec or {}
    step = {**spec.get("step", {}), "agent": agent.name}
    return {**spec, "step": step, "chosen": {"agent": agent.name, "moved": moved}}


def _tell(job: Assignment, agent: Candidate, choice: Choice) -> None:
    data: dict[str, Json] = {
        "attempt": job.claimed.attempt,
        "agent": agent.name,
        "reason": choice.reason,
        "candidates": dict(choice.candidates[:20]),
    }
    events.append("task.assigned", actor="engine", run_id=job.claimed.run_id, task_id=job.claimed.id, data=data)


def _queue(job: Assignment, shift: int, agent: Candidate, choice: Choice) -> bool:
    """All have no place: the task goes back in the name of one, whose limits the claim keeps."""
    transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(transitions.Fence(job.claimed.id, job.claimed.attempt, shift))
    if task is not None:
        error: dict[str, Json] = {"code": "no_agent", "message": choice.reason}
        end_attempt(task, AttemptStatus.SUSPENDED, error=error, used=budgets.NOTHING)
        moved = bool((job.claimed.spec or {}).get("chosen", {}).get("moved"))
        Task.objects.filter(pk=task.pk).update(agent_id=agent.id, limited=True, spec=_spec(job, agent, moved=moved))
        returns.return_running(task, reason="no_agent")
        _tell(job, agent, choice)
        _given.note(agent.id)
    return False


def _nobody(job: Assignment, shift: int, choice: Choice) -> bool:
    """Nobody is there: wait for one to come back, or ask a person where nobody could ever do it."""
    run = transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(transitions.Fence(job.claimed.id, job.claimed.attempt, shift))
    if task is None:
        return False
    error: dict[str, Json] = {"kind": "permanent", "code": "no_agent", "message": f"{choice.reason.capitalize()}."}
    end_attempt(task, AttemptStatus.SUSPENDED, error=error, used=budgets.NOTHING)
    if choice.able:
        transitions.move(task, TaskStatus.WAITING, wait_for=WAITS)
        data: dict[str, Json] = {"attempt": task.attempt, "reason": choice.reason}
        data["candidates"] = dict(choice.candidates[:20])
        events.append("task.waiting", actor="engine", run_id=run.pk, task_id=task.pk, data=data)
    else:
        subject = Subject(task_id=task.pk, run_id=run.pk, workflow_id=run.workflow_id, requested_by=run.started_by_id)
        rule = "no agent is able to do it: stop and ask"
        transitions.open_gate(task, gates.for_trouble(job.step, subject, kind="exception", rule=rule, error=error))
    return False


def candidates(*, lane: str = DEFAULT) -> list[Candidate]:
    """Every registered agent as it stands now."""
    newest = AgentVersion.objects.filter(agent=OuterRef("agent")).order_by("-number").values("pk")[:1]
    versions = AgentVersion.objects.filter(pk=Subquery(newest)).select_related("agent").order_by("agent__name")
    rows = list(versions.defer("input_schema", "output_schema"))
    ids = [row.agent_id for row in rows]
    running = _counts(Task.objects.filter(status=TaskStatus.RUNNING, agent_id__in=ids))
    queued = _counts(Task.objects.filter(status=TaskStatus.READY, limited=True, held=False, agent_id__in=ids))
    gone = away()
    health, given = health_by_agent(ids), _given.of(ids)
    return [
        replace(
            _candidate(row, health[row.agent_id]),
            away=gone.get(row.agent_id, "") or _elsewhere(row, lane),
            running=running[row.agent_id],
            queued=queued[row.agent_id],
            given=given[row.agent_id],
        )
        for row in rows
    ]


def _candidate(row: AgentVersion, health: Health) -> Candidate:
    authority = row.config.get("authority") if row.agent.authority is None else row.agent.authority
    return Candidate(
        id=row.agent_id,
        name=row.agent.name,
        capabilities=tuple(row.capabilities),
        tags=tuple(row.agent.domain_tags),
        authority=None if authority is None else tuple(authority),
        at_once=row.agent.max_concurrency
        if row.agent.rate_per_minute is None
        else row.agent.max_concurrency or UNCOUNTED,
        failures=health.failure_share or 0.0,
        cost=float(row.config.get("cost_per_call", 0.0)),
    )


def _elsewhere(row: AgentVersion, lane: str) -> str:
    """A blocking agent in a lane of many would hold threads that it must not have."""
    blocks = lane != BLOCKING and row.isolation != "loop"
    return "it blocks, and the step is in a lane for those that do not" if blocks else ""


def away() -> dict[int, str]:
    """Agents out of service, and why."""
    stopped = Stop.objects.filter(scope="agent", lifted_at=None).values_list("ref", flat=True)
    broken = Breaker.objects.exclude(state=Breaker.State.CLOSED).values_list("agent_id", flat=True)
    found = dict.fromkeys(broken, "its circuit breaker is open")
    return found | {ref: "it is stopped" for ref in stopped if ref is not None}


def names_of(agents: Iterable[int]) -> set[str]:
    """What these agents are called."""
    return set(Agent.objects.filter(pk__in=list(agents)).values_list("name", flat=True))


def _counts(tasks: Any) -> Counter[int]:
    return Counter(dict(tasks.order_by().values_list("agent_id").annotate(count=Count("id"))))


def tend() -> None:
    """Upkeep: tasks that wait for an agent go on when one is back, and tasks queued for one that left find another."""
    gone = away()
    if gone:
        queued = Task.objects.filter(status=TaskStatus.READY, limited=True, agent_id__in=gone, spec__has_key="chosen")
        queued.update(agent_id=None, limited=False)
    waiting = list(Task.objects.filter(status=TaskStatus.WAITING, wait_for=WAITS).order_by("-priority", "id")[:TENDED])
    found = candidates() if waiting else []
    for task in waiting:
        step = step_of(task)
        if step.select is None or choose_best(step.select, found, category=step.category).agent is not None:
            _return(task)


@transaction.atomic
def _return(task: Task) -> None:
    transitions.lock_run(task.run_id)
    locked = Task.objects.select_for_update(no_key=True).get(pk=task.pk)
    if locked.status == TaskStatus.WAITING and locked.wait_for == WAITS:
        returns.return_waiting(locked, reason="no_agent")
