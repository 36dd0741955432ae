"""What publishing warns of: steps without explicit error handling, and agents that work together without a net.

A warning refuses nothing, unless the definition says `configuration.strict`. Advice (`definitions.advice`) is about
defaults; this is about what a workflow that matters ought to have.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from orchestrator import budget_db
from orchestrator.acts import contracts
from orchestrator.definitions.agents import AgentCatalogue, AgentContract
from orchestrator.definitions.errors import DefinitionError, DefinitionProblem
from orchestrator.definitions.load import Definition, StepSource
from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.models import Budget, Workflow, WorkflowVersion
from orchestrator.patterns import registry

MOST: Final = 50
COST: Final = "configuration.budgets.cost"
_SAYS: Final = frozenset({"on_error", "optional", "on_deadline", "on_bound", "on_timeout"})
_CANNOT_FAIL: Final = frozenset({"conditional", "timer"})  # what cannot be worked out there always asks people


def look(definition: Definition, plan: Plan, *, catalogue: AgentCatalogue) -> tuple[DefinitionProblem, ...]:
    """Everything that publishing warns of."""
    steps = [source for source in definition.steps if not _handles_errors(source, definition.error_handling)]
    found = [_step(definition, source) for source in steps[:MOST]]
    if len(steps) > MOST:
        found.append(_whole(definition, "on_error", f"is not said by {len(steps) - MOST} more steps", _REMEDY))
    found += [_wide(definition, step, *flaw) for step in plan.steps if (flaw := _wider_than_its_budget(step))]
    agents = agents_of(plan)
    if len(agents) > 1:
        found += [_whole(definition, *line) for line in _of_many(definition, plan, agents, catalogue)]
    return tuple(found)


def refuse_if_strict(definition: Definition, found: Sequence[DefinitionProblem], *, strict: bool = False) -> None:
    """Raises DefinitionError with the warnings if the definition, or whoever publishes it, wants none."""
    if found and (strict or definition.configuration.get("strict")):
        raise DefinitionError(found)


def stored(found: Iterable[DefinitionProblem]) -> list[dict[str, Any]]:
    """As a version keeps them."""
    return [asdict(problem) for problem in found]


def of_version(version: WorkflowVersion) -> list[DefinitionProblem]:
    """What a version was warned of, without what people have mended since by a budget over all its runs."""
    found = [DefinitionProblem(**problem) for problem in version.checks]
    if any(problem.field == COST for problem in found) and _has_cost_budget(version.workflow_id):
        return [problem for problem in found if problem.field != COST]
    return found


def agents_of(plan: Plan) -> tuple[str, ...]:
    """The agents that do a run's work, each once; those that stand in or undo are not among them."""
    named: list[str] = []
    for step in (inner for outer in plan.steps for inner in (outer, outer.body) if inner is not None):
        named += [step.agent] if step.agent else []
        pattern = registry.find(step.pattern) if step.pattern else None
        named += [name.partition("@")[0] for name in pattern.agents(step.options)] if pattern else []
        named += step.select.agents if step.select else ()
    return tuple(dict.fromkeys(named))


_REMEDY: Final = "set it here or in error_handling.on_error: escalate, ask, skip or fail"


def _step(definition: Definition, source: StepSource) -> DefinitionProblem:
    message = "says nothing of errors, neither here nor in error_handling"
    return DefinitionProblem(definition.file, source.key, "on_error", message, _REMEDY, source.line)


def _whole(definition: Definition, field: str, message: str, remedy: str) -> DefinitionProblem:
    return DefinitionProblem(definition.file, "", field, message, remedy)


def _wide(definition: Definition, step: PlanStep, calls: int, limit: float) -> DefinitionProblem:
    agent = step.body.agent if step.body else ""
    message = f"lets up to {calls:,} items come, and {agent} may take {limit:,g} documents in a run: it halts there"
    remedy = "set a lower most, or give the agent a larger budget of documents"
    return DefinitionProblem(definition.file, step.key, "most", message, remedy)


def _wider_than_its_budget(step: PlanStep) -> tuple[int, float] | None:
    """How many calls a map may make of its body's agent, and the agent's budget of documents, if that is less."""
    if step.map is None or step.body is None or not step.body.agent:
        return None
    calls = -(-step.map.most // step.map.batch)
    limit = _documents_of(step.body.agent)
    return (calls, limit) if calls > limit else None


def _documents_of(agent: str) -> float:
    """An agent's own budget of documents for a run; without a limit if it is not registered yet."""
    own = [limit for scope, name, resource, limit in budget_db.budgets_in_force()
           if (scope, name, resource) == ("own", agent, "documents")]  # fmt: skip
    return min(own, default=math.inf)


def _handles_errors(source: StepSource, errors: Mapping[str, Any]) -> bool:
    own = {*source.fields, *source.fields.get("gate", {})}
    return source.type in _CANNOT_FAIL or "on_error" in errors or bool(_SAYS & own)


def _of_many(
    definition: Definition, plan: Plan, agents: Sequence[str], catalogue: AgentCatalogue
) -> Iterator[tuple[str, str, str]]:
    """What a workflow in which several agents work together ought to have."""
    if left := _without_stand_in(plan, agents, catalogue):
        message = f"no single agent could do the rest of a run: nobody stands in for {', '.join(left)}"
        yield "fallback", message, "name a fallback that keeps its contract; people then choose “One agent…” on a run"
    workflow = Workflow.objects.filter(name=definition.name).values_list("pk", flat=True).first()
    if "cost" not in plan.budgets and not _has_cost_budget(workflow):
        yield COST, f"is not set, and {len(agents)} agents spend", "set what a run may cost, in US dollars"
    if not any("checkpoint" in source.fields for source in definition.steps):
        message = "no step saves one; a run that goes wrong can be read, but not gone back in to a point with a name"
        yield "checkpoint", message, "give one to the step after which much has been done"


def _without_stand_in(plan: Plan, agents: Sequence[str], catalogue: AgentCatalogue) -> list[str]:
    """The agents whose work the best of all candidates could not do; empty if one candidate could do it all."""
    fallbacks = _fallbacks(plan)
    candidates = {
        name: contract
        for name in dict.fromkeys((*agents, *fallbacks.values()))
        if (contract := catalogue.find(name.partition("@")[0], None)) is not None
    }
    needed = [agent for agent in agents if agent not in _spared(plan)]
    left = [
        [agent for agent in needed if fallbacks.get(agent) != name and not _fits(agent, name, new, catalogue)]
        for name, new in candidates.items()
    ]
    return min(left, key=len, default=needed)


def _spared(plan: Plan) -> set[str]:
    """The agents whose every step the run can do without."""
    named = [(step.agent, step.optional or step.on_error == "skip") for step in plan.steps if step.agent]
    return {agent for agent, _ in named} - {agent for agent, spared in named if not spared}


def _fallbacks(plan: Plan) -> dict[str, str]:
    """Each agent's stand-in: its step's, or that of the pattern whose turns it does."""
    found: dict[str, str] = {}
    for step in (inner for outer in plan.steps for inner in (outer, outer.body) if inner is not None):
        pattern = registry.find(step.pattern) if step.pattern else None
        named = [step.agent] if step.agent else pattern.agents(step.options) if pattern else []
        if step.fallback:
            found |= {name.partition("@")[0]: step.fallback.partition("@")[0] for name in named}
    return found


def _fits(agent: str, name: str, new: AgentContract, catalogue: AgentCatalogue) -> bool:
    if agent == name:
        return True
    old = catalogue.find(agent, None)
    return old is not None and not contracts.misfits(None, old, new)


def _has_cost_budget(workflow: int | None) -> bool:
    return Budget.objects.filter(scope="workflow", ref=workflow or 0, resource="cost").exists()
