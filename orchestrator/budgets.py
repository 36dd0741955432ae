"""Budgets by rule: what a plan grants whom, what a call may need, and whether a definition could go over. Pure.

An agent's own budget is what it may use in one run. A workflow may grant each run a budget, and divide it among its
agents by shares that sum to 1.0. Agents, workflows and teams may have a standing budget besides, over all runs.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agents.types import Json, Usage
from orchestrator.definitions.plan import Plan, PlanStep

RESOURCES: Final = ("documents", "tokens", "minutes", "calls", "cost")
WARN_AT: Final = 0.8  # share of a limit; said once, by settle_budgets_v1
REST: Final = "orchestrator"  # in shares: everything that no agent of the table has used
COUNTED: Final = ("calls", "documents")  # known before a call, and never overspent
STANDING: Final = frozenset({"agent", "workflow", "team"})

type Limits = Mapping[str, float]  # by resource


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit that a run's plan states. `own`: for the calling agent alone."""

    scope: str  # run | run_agent
    own: bool
    resource: str
    limit: float


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that one agent can do in a run without anybody's further word."""

    calls: float = 0.0
    minutes: float = 0.0

    def __add__(self, other: "Bound") -> "Bound":
        return Bound(self.calls + other.calls, self.minutes + other.minutes)

    def times(self, count: float) -> "Bound":
        """So often."""
        return Bound(self.calls * count, self.minutes * count)


@dataclass(frozen=True, slots=True)
class Used:
    """What one call used. `held`: it fell under a budget, so that its end settles that."""

    usage: Usage = field(default_factory=Usage)
    minutes: float = 0.0
    documents: int = 1
    held: bool = False

    def by_resource(self) -> dict[str, Json]:
        """As events and budgets count it."""
        return {
            "calls": 1,
            "documents": self.documents,
            "tokens": self.usage.tokens_in + self.usage.tokens_out,
            "minutes": round(self.minutes, 6),
            "cost": self.usage.cost,
        }


NOTHING: Final = Used(documents=0)  # an attempt that called no agent


def documents_in(given: Mapping[str, Json]) -> int:
    """How many documents a call works on: the length of its input's list `documents`, otherwise one."""
    listed = given.get("documents")
    return len(listed) if isinstance(listed, list) else 1


def bounds(plan: Plan) -> Mapping[str, Bound]:
    """For each agent the most that a run of this plan calls it; infinite where a pattern decides how often."""
    found: dict[str, Bound] = defaultdict(Bound)
    for step in plan.steps:
        for agent, bound in _bounds(step):
            found[agent] += bound
    anybody = found.pop("", Bound())
    limits = {agent: bound + anybody for agent, bound in found.items()}
    return defaultdict(lambda: anybody, limits)


def _bounds(step: PlanStep) -> Iterator[tuple[str, Bound]]:
    """What one step may call; the agent "" stands for any."""
    if step.kind == "pattern":
        yield "", Bound(math.inf, math.inf)
    elif step.kind == "assured" and step.body is not None:
        yield from _assured_bounds(step, step.body)
    elif step.body is not None:
        often = step.map.most if step.map else step.loop.most if step.loop else math.inf
        yield from ((agent, bound.times(often)) for agent, bound in _bounds(step.body))
    elif step.agent or step.select:
        tries = Bound(1, step.timeout / 60).times(step.retry.attempts)
        yield step.agent, tries
        if step.fallback:
            yield step.fallback.partition("@")[0], tries
    if step.compensate is not None:
        undone = step.compensate
        yield undone.agent, Bound(1, undone.timeout / 60).times(undone.retry.attempts)


def _assured_bounds(step: PlanStep, body: PlanStep) -> Iterator[tuple[str, Bound]]:
    """Each of those who may be asked may be asked each time; the verifier once."""
    asked = step.quality
    consensus = asked.consensus if asked else None
    often = consensus.of if consensus else 1
    yield from ((agent, bound.times(often)) for agent, bound in _bounds(body))
    for named in (*(consensus.agents if consensus else ()), *((asked.verifier,) if asked and asked.verifier else ())):
        yield named.partition("@")[0], Bound(1, step.timeout / 60).times(often * step.retry.attempts)


def may_exceed(bound: Bound, limits: Limits) -> bool:
    """Whether an agent with this bound could use more calls, minutes or documents than its own budget."""
    calls = min(limits.get("calls", math.inf), limits.get("documents", math.inf))
    return bound.calls > calls or bound.minutes > limits.get("minutes", math.inf)


def caps(plan: Plan, agent: str, own: Limits) -> list[Cap]:
    """The limits of a run and of an agent in it: its share of the run's budget or its own, whichever is less."""
    found = [Cap("run", False, resource, limit) for resource, limit in plan.budgets.items()]
    named = agent in plan.shares
    if not named and REST in plan.shares:
        share = plan.shares[REST]
        found += [Cap("run_agent", False, resource, share * limit) for resource, limit in plan.budgets.items()]
    granted = {resource: plan.shares[agent] * limit for resource, limit in plan.budgets.items()} if named else {}
    for resource in RESOURCES:
        limits = [limits[resource] for limits in (granted, own) if resource in limits]
        if limits:
            found.append(Cap("run_agent", True, resource, min(limits)))
    return found


def needs(step: PlanStep, documents: int, seen: Limits | None) -> dict[str, float | None]:
    """What a call may use at most, by resource; None where neither its step nor an earlier call (`seen`) tells."""
    found: dict[str, float | None] = {"calls": 1, "documents": documents, "minutes": step.timeout / 60}
    for resource in ("tokens", "cost"):
        found[resource] = None if seen is None else seen.get(resource, 0.0)
    return {**found, **step.effort}


def words(budget: Mapping[str, Any], *, name: str = "") -> str:
    """A budget in words: "tokens of run 12", "calls of extraction in run 12", "cost of workflow invoices"."""
    scope, ref, resource = budget["scope"], budget["ref"], budget["resource"]
    if scope == "run":
        return f"{resource} of run {ref}"
    if scope == "run_agent":
        where = f"in run {ref}" if ref else "in each run"
        return f"{resource} of {budget.get('agent') or REST} {where}"
    return f"{resource} of {scope} {name or ref}"
