"""Walk a workflow definition with its real agents and expressions, without an engine: what would a run do, and ask?"""

import asyncio
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents import registry
from agents.context import AgentContext
from agents.outcomes import outcome_of, prepare_input
from agents.types import AgentRequest, Completed, Json
from orchestrator.definitions import expressions
from orchestrator.definitions.compile import compile_plan
from orchestrator.definitions.load import load
from orchestrator.definitions.plan import Plan, PlanStep

FOLDER = Path(__file__).resolve().parents[3] / "orchestrator" / "library"


@dataclass
class Walk:
    """What happened: outputs by step, who was asked, what was delivered."""

    outputs: dict[str, dict[str, Json]] = field(default_factory=dict)
    gates: list[str] = field(default_factory=list)
    delivered: dict[str, str] = field(default_factory=dict)
    gate_values: dict[str, dict[str, Json]] = field(default_factory=dict)


def plan(name: str) -> Plan:
    """The compiled definition of that name; every problem in it raises."""
    registry.autodiscover()
    file = FOLDER / f"{name}.yaml"
    return compile_plan(load(file.read_text(), file=file.name), catalogue=registry.default)


def walk(plan: Plan, given: Mapping[str, Json], answers: Mapping[str, dict[str, Json]] | None = None) -> Walk:
    """Run every step in order as if people approved everything and answered manual steps with `answers`."""
    done = Walk()
    chosen: set[int] = {step.index for step in plan.steps}
    for branching in (step for step in plan.steps if step.kind == "conditional"):
        chosen -= {index for branch in branching.branches for index in branch.then}
    ended: set[int] = set()
    for step in plan.steps:
        context = {"input": dict(given), "steps": done.outputs}
        fed = not step.dependencies or any(index in ended for index in step.dependencies)
        if step.index not in chosen or not fed or (step.when and not expressions.holds(step.when, context)):
            continue
        ended.add(step.index)
        if step.kind == "conditional":
            taken = next(b for b in step.branches if not b.when or expressions.holds(b.when, context))
            chosen |= set(taken.then)
            done.outputs[step.key] = {}
        elif step.kind == "manual":
            expressions.resolve(step.inputs, context)
            done.gates.append(step.key)
            done.outputs[step.key] = (answers or {})[step.key]
        else:
            _automated(step, context, done)
    return done


def _automated(step: PlanStep, context: dict[str, Any], done: Walk) -> None:
    spec = registry.get(step.agent)
    argument = prepare_input(spec, expressions.resolve(dict(step.inputs), context))
    request = AgentRequest(agent=step.agent, version=None, input={}, key=f"test:{step.key}", attempt=1, timeout=10)
    returned = spec.function(argument, AgentContext(request))
    outcome = outcome_of(spec, asyncio.run(returned) if inspect.isawaitable(returned) else returned)
    assert isinstance(outcome, Completed), outcome
    after = {**context, "output": outcome.output, "confidence": outcome.confidence, "attempt": 1}
    if step.gate and expressions.holds(step.gate.when, after):
        done.gates.append(step.key)
        parts = {
            name: getattr(step.gate, name)
            for name in ("title", "risk", "consequence", "action", "evidence", "alternatives")
        }
        done.gate_values = {**done.gate_values, step.key: expressions.resolve(parts, after)}  # type: ignore[dict-item]
    if step.deliver:
        file: Any = expressions.resolve(step.deliver, after)
        done.delivered[file["name"]] = file["content"]
    done.outputs[step.key] = outcome.output
