"""Budgets around a call: whether it falls under one, holding what it may use before it, waiting where nothing is left.

Nearly no call falls under a budget. That is decided from the plan and from a view of what budgets there are, which each
process reads anew every second or two; only then is there a statement more. What a call held is given back, and what
it used is spent, in the transaction that ends its attempt (`settle_budgets_v1`).
"""

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, NamedTuple

from django.db import transaction

from agents.registry import find
from agents.types import Json, Usage
from orchestrator import budget_db, budgets, db, events
from orchestrator.budgets import Bound, Limits
from orchestrator.definitions.plan import PlanStep
from orchestrator.engine import gates, returns, transitions
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.attempts import end_attempt
from orchestrator.engine.gates import Subject
from orchestrator.models import Budget, Run, Task
from orchestrator.ports import GateRequest, gatekeeper
from orchestrator.states import AttemptStatus, TaskStatus

FRESH_SECONDS: Final = 1.5  # a budget that people set is obeyed by every process within this
SHARE_OF_TIME: Final = 20  # reading the view costs at most a twentieth of a process's time
NEWEST_VERSIONS: Final = 500
MOST_WAITING: Final = 2000  # tasks looked at for one budget at a time; upkeep comes back for the others


@dataclass(slots=True)
class View:
    """What this process knows of budgets: who has one, and what calls have used. Shared by its threads."""

    limits: Mapping[str, Limits] = field(default_factory=dict)  # an agent's own, for each run
    agents: frozenset[str] = frozenset()  # with a standing budget
    workflows: frozenset[str] = frozenset()
    teams: bool = False
    runs: frozenset[int] = frozenset()  # to which people gave one
    seen: dict[str, dict[str, float]] = field(default_factory=dict)  # the most that a call of an agent has used
    _bounds: dict[int, Mapping[str, Bound]] = field(default_factory=dict)
    wanted: bool = False  # a call has looked at it since it was read
    _read_at: float = float("-inf")
    _pause: float = 0.0

    def is_stale(self, share: float = 1.0) -> bool:
        """Whether it is time to read it again; or soon, with a share of the time below 1."""
        return monotonic() - self._read_at > max(FRESH_SECONDS, self._pause) * share

    def forget(self) -> None:
        """Read it before the next call: what is known is of another database."""
        self._read_at = float("-inf")
        self.seen.clear()

    def covers(self, job: Assignment, documents: int) -> bool:
        """Whether a call falls under a budget that it could break."""
        plan, agent = job.plan, job.step.agent
        if plan.budgets or self.teams or job.claimed.run_id in self.runs:
            return True
        if agent in self.agents or plan.name in self.workflows:
            return True
        limits = self.limits.get(agent)
        return limits is not None and self._may_exceed(job, limits, documents)

    def _may_exceed(self, job: Assignment, limits: Limits, documents: int) -> bool:
        """Whether the agent could break its own budget for a run: by the plan, or because people let it try again."""
        if documents > 1 or job.claimed.attempt > job.step.retry.attempts or "step" in (job.claimed.spec or ()):
            return True
        version = job.claimed.version_id
        if version not in self._bounds:
            self._bounds[version] = budgets.bounds(job.plan)
            while len(self._bounds) > NEWEST_VERSIONS:
                del self._bounds[next(iter(self._bounds))]
        if budgets.may_exceed(self._bounds[version][job.step.agent], limits):
            return True
        spec = find(job.step.agent, job.step.agent_version)
        uses_tokens = spec is not None and spec.kind == "llm"
        return uses_tokens or self.seen.get(job.step.agent, {}).get("tokens", 0) > 0

    def note(self, agent: str, usage: Usage) -> None:
        """Remember what a call used, so that the next ones hold as much."""
        most = self.seen.setdefault(agent, {"tokens": 0.0, "cost": 0.0})
        most["tokens"] = max(most["tokens"], usage.tokens_in + usage.tokens_out)
        most["cost"] = max(most["cost"], usage.cost)

    def read(self) -> None:
        """Read which budgets there are."""
        began = monotonic()
        own: dict[str, dict[str, float]] = {}
        standing: dict[str, set[Any]] = {"agent": set(), "workflow": set(), "team": set(), "run": set()}
        for scope, name, resource, limit in budget_db.budgets_in_force():
            if scope == "own":
                own.setdefault(name, {})[resource] = limit
            else:
                standing[scope].add(name)
        self.limits = own
        self.agents, self.workflows = frozenset(standing["agent"]), frozenset(standing["workflow"])
        self.teams, self.runs = bool(standing["team"]), frozenset(map(int, standing["run"]))
        self._read_at, self.wanted = monotonic(), False
        self._pause = (self._read_at - began) * SHARE_OF_TIME


view: Final = View()
_reading = threading.Lock()


def refresh(share: float = 1.0) -> None:
    """Read the view anew. Whoever asks while another thread reads it waits for that."""
    with _reading:
        if view.is_stale(share):
            view.read()


def reserve(job: Assignment, shift: int, documents: int) -> bool:
    """Hold what the call may use; False if it may not be made now: its task waits, or was taken away meanwhile."""
    answer = _ask(job, shift, documents)
    if answer.get("granted") or answer.get("gone"):
        return bool(answer.get("granted"))
    return _wait(job, shift, documents)


def _ask(job: Assignment, shift: int, documents: int) -> dict[str, Any]:
    step, plan = job.step, job.plan
    wish = budget_db.Wish(
        task=job.claimed.id,
        attempt=job.claimed.attempt,
        shift=shift,
        agent=step.agent,
        named=step.agent in plan.shares,
        needs=budgets.needs(step, documents, view.seen.get(step.agent)),
        caps=budgets.caps(plan, step.agent, view.limits.get(step.agent, {})),
    )
    return budget_db.reserve_budgets(wish)


@transaction.atomic
def _wait(job: Assignment, shift: int, documents: int) -> bool:
    """Ask again with the run locked, so that a call that ends now either leaves room or sees this task waiting."""
    run = transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(transitions.Fence(job.claimed.id, job.claimed.attempt, shift))
    if task is None:
        return False
    answer = _ask(job, shift, documents)
    if answer.get("granted"):
        return True
    budget = Budget.objects.select_related("agent").get(pk=answer["id"])
    name = named(budget)
    end_attempt(
        task, AttemptStatus.SUSPENDED, error={"code": "budget", "message": f"waits for {name}"}, used=budgets.NOTHING
    )
    state: dict[str, Json] = {"budget": budget.pk, "need": answer["need"], "attempt": task.attempt}
    if answer["hard"] and not _is_asked(budget):
        Task.objects.filter(pk=task.pk).update(state=state)
        _breach(budget, run.pk, name)
        transitions.open_gate(task, _question(job.step, run, task, budget, name))
    else:
        transitions.move(task, TaskStatus.WAITING, wait_for="budget", state=state)
        data: dict[str, Json] = {"attempt": task.attempt, "budget": name}
        events.append("task.waiting", actor="engine", run_id=run.pk, task_id=task.pk, data=data)
    return False


def named(budget: Budget) -> str:
    """A budget in words, with its agent, workflow or team by name."""
    agent = budget.agent.name if budget.agent else ""
    return budgets.words(
        {"scope": budget.scope, "ref": budget.ref, "resource": budget.resource, "agent": agent},
        name=budget_db.budget_owner(budget.scope, budget.ref),
    )


class Waiter(NamedTuple):
    """A task that waits for a budget; `asked`: for people, who may raise it. `need` None: nobody knows."""

    task: int
    asked: bool
    need: float | None


def _is_asked(budget: Budget) -> bool:
    """Whether people have been asked about this budget already and have not answered."""
    return any(waiter.asked for waiter in waiters(budget.pk))


def waiters(budget_id: int) -> list[Waiter]:
    """The tasks that wait for a budget: one for people, the others for what these decide.

    A task's state may name a budget that an earlier attempt waited for; then it waits for something else now.
    """
    found = Task.objects.filter(status="waiting", wait_for__in=("gate", "budget"), state__budget=budget_id)
    rows = found.order_by("id").values_list("pk", "wait_for", "attempt", "state")[:MOST_WAITING]
    return [
        Waiter(pk, wait_for == "gate", state.get("need"))
        for pk, wait_for, attempt, state in rows
        if state and state["attempt"] == attempt
    ]


def _breach(budget: Budget, run_id: int, name: str) -> None:
    """Say it once, until the limit is raised."""
    if budget.breached_at is None:
        Budget.objects.filter(pk=budget.pk).update(breached_at=db.clock())
        data: dict[str, Json] = {"budget": budget.pk, "words": name, "limit": budget.limit, "spent": budget.spent}
        events.append("budget.exceeded", actor="engine", run_id=run_id, data=data)


def _question(step: PlanStep, run: Run, task: Task, budget: Budget, name: str) -> GateRequest:
    """What people are asked when a budget is used up."""
    subject = Subject(
        task_id=task.pk, run_id=run.pk, workflow_id=run.workflow_id, requested_by=run.started_by_id, given={}
    )
    rule = f"budget_exceeded: {name}"
    message = f"Budget used up: {name} ({budget.spent:g} of {budget.limit:g})"
    error: dict[str, Json] = {"kind": "budget", "code": "budget_exceeded", "message": message}
    whose = "run" if budget.scope == "run_agent" else budget.scope
    return gates.for_budget(step, subject, rule=rule, error=error, whose=whose)


@transaction.atomic
def release(budget_id: int) -> int:
    """Let the tasks that wait for a budget go on as far as it reaches, all if it is gone; return how many did.

    If people were asked about it, their question is withdrawn: the budget reaches again.
    """
    found = waiters(budget_id)
    runs = sorted({waiter.task >> 20 for waiter in found})
    list(Run.objects.filter(pk__in=runs).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    budget = Budget.objects.select_for_update(no_key=True).filter(pk=budget_id).first()
    if budget is None:
        _withdraw(found, reason="the limit was taken away")
        return sum(budget_db.release_budget(budget_id, run, math.inf, alone=True) for run in runs)
    if budget.spent >= budget.limit:
        return _ask_again(budget)
    asked = [waiter for waiter in found if waiter.asked]
    answered = [waiter for waiter in asked if budget.spent + _least(budget, waiter) <= budget.limit]
    _withdraw(answered, reason=f"{named(budget)} reaches again")
    free = budget.limit - budget.spent - budget.reserved
    # Of calls and documents nobody may have a part: while people are asked, only what fits goes on.
    alone = budget.reserved == 0 and (budget.resource not in budgets.COUNTED or len(answered) == len(asked))
    return len(answered) + sum(budget_db.release_budget(budget_id, run, free, alone=alone) for run in runs)


def _least(budget: Budget, waiter: Waiter) -> float:
    """Without how much a task need not start: calls and documents are never overspent, the rest by one call."""
    return waiter.need or 0.0 if budget.resource in budgets.COUNTED else 0.0


def _withdraw(found: Sequence[Waiter], *, reason: str) -> None:
    """Take back what people were asked, and let the tasks try again."""
    for pk in [waiter.task for waiter in found if waiter.asked]:
        task = Task.objects.select_for_update(no_key=True).get(pk=pk)
        if task.status == TaskStatus.WAITING and task.wait_for == "gate":
            gatekeeper().withdraw_gates([pk], reason=reason)
            returns.return_waiting(task, reason="budget")


def _ask_again(budget: Budget) -> int:
    """A used-up budget whose question was answered without raising it: let one task go, which asks anew."""
    if budget.reserved > 0 or _is_asked(budget):
        return 0
    first = next((waiter.task for waiter in waiters(budget.pk)), None)
    return budget_db.release_budget(budget.pk, first >> 20, 0.0, alone=True) if first is not None else 0


def tend() -> None:
    """Upkeep: nobody waits for a budget that reaches, or for people who were not asked or need not decide any more."""
    waits = ["budget"]
    if Budget.objects.filter(scope__in=budgets.STANDING).exists():  # raised without their runs' locks
        waits.append("gate")
    waiting = Task.objects.filter(status="waiting", wait_for__in=waits, state__budget__isnull=False)
    for budget_id in sorted(set(waiting.values_list("state__budget", flat=True)[:10_000])):
        release(budget_id)
