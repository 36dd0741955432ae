"""Budgets of agents that are asked beside a step's own: guardians. A call is counted before it is made, and refused
when nothing is left; what it used is spent when it has ended.

Only the guardian's own budgets are asked here, standing and for the run: those of run, workflow and team count its
usage with the attempt that it watches.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Q

from agents.models import Agent
from agents.types import Json, Usage
from orchestrator import budget_db, db, events
from orchestrator.engine import budgeting
from orchestrator.engine.assignment import Assignment
from orchestrator.models import Budget

WARNED: float = 0.8  # of a limit: said once


@dataclass(frozen=True, slots=True)
class Grant:
    """Whether a call may be made: the budgets that count it, or the one that is used up, in words."""

    budgets: tuple[int, ...] = ()
    refused: str = ""


FREE = Grant()  # falls under no budget of its own


def covers(agent: str) -> bool:
    """Whether an agent has a budget of its own, by this process's view."""
    return agent in budgeting.view.agents or bool(budgeting.view.limits.get(agent))


@transaction.atomic
def take(job: Assignment, agent: str) -> Grant:
    """Count one call of `agent` against its own budgets, or say which one refuses it."""
    row = Agent.objects.filter(name=agent).first()
    if row is None:
        return FREE
    run = job.claimed.run_id
    _make_own(run, row)
    own = Q(scope="agent", ref=row.pk) | Q(scope="run_agent", ref=run, agent=row)
    found = list(Budget.objects.select_for_update(no_key=True, of=("self",)).filter(own).order_by("pk"))
    for budget in found:
        if budget.spent >= budget.limit or (budget.resource == "calls" and budget.spent + 1 > budget.limit):
            name = budgeting.named(budget)
            _say_once(budget, run, name)
            return Grant(refused=name)
    _spend([budget.pk for budget in found], {"calls": 1.0}, run)
    return Grant(tuple(budget.pk for budget in found))


def _make_own(run: int, agent: Agent) -> None:
    """Its budget for each run comes to be with its first call there."""
    for resource, limit in budgeting.view.limits.get(agent.name, {}).items():
        made = {"limit": limit, "spent": budget_db.spent(run, resource, agent.pk)}
        Budget.objects.get_or_create(scope="run_agent", ref=run, agent=agent, resource=resource, defaults=made)


@transaction.atomic
def settle(job: Assignment, grant: Grant, usage: Usage, *, seconds: float) -> None:
    """Spend what the call used; its count was taken before."""
    used = {"tokens": float(usage.tokens_in + usage.tokens_out), "cost": usage.cost, "minutes": seconds / 60}
    list(Budget.objects.select_for_update(no_key=True).filter(pk__in=grant.budgets).order_by("pk").values_list("pk"))
    _spend(grant.budgets, used, job.claimed.run_id)


def _spend(ids: list[int] | tuple[int, ...], used: dict[str, float], run: int) -> None:
    for resource, amount in used.items():
        if amount > 0:
            Budget.objects.filter(pk__in=ids, resource=resource).update(spent=F("spent") + amount)
    tight = Budget.objects.filter(pk__in=ids, warned_at=None, spent__gt=F("limit") * WARNED)
    for budget in tight.select_related("agent").order_by("pk"):
        Budget.objects.filter(pk=budget.pk).update(warned_at=db.clock())
        facts: dict[str, Json] = {
            "budget": budget.pk, "scope": budget.scope, "ref": budget.ref, "resource": budget.resource,
            "limit": budget.limit, "spent": budget.spent, "agent": budget.agent.name if budget.agent else None,
        }  # fmt: skip
        events.append("budget.warned", actor="engine", run_id=run, data=facts)


def _say_once(budget: Budget, run: int, name: str) -> None:
    if budget.breached_at is None:
        Budget.objects.filter(pk=budget.pk).update(breached_at=db.clock())
        facts: dict[str, Json] = {"budget": budget.pk, "words": name, "limit": budget.limit, "spent": budget.spent}
        events.append("budget.exceeded", actor="engine", run_id=run, data=facts)
