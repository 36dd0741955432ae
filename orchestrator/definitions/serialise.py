"""A plan as the JSON that is stored beside its version, and back. A worker reads each version once."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from orchestrator.definitions.plan import Branch, GateSpec, Plan, PlanStep, Retry

_DEFAULTS: dict[str, Any] = {f.name: getattr(PlanStep(0, "", "", "automated"), f.name) for f in fields(PlanStep)}
_STEP_TUPLES = frozenset({"dependencies", "successors", "needs"})


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Plain JSON values. Fields that hold their default are left out: a 10,000-step plan stays small."""
    return {
        "name": plan.name,
        "steps": [_step_to_json(step) for step in plan.steps],
        "input_schema": plan.input_schema,
        "outputs": plan.outputs,
        "title": plan.title,
        "priority": plan.priority,
        "weight": plan.weight,
    }


def plan_from_json(stored: Mapping[str, Any]) -> Plan:
    """The plan that `plan_to_json` stored, by this or an earlier release."""
    return Plan(
        name=stored["name"],
        steps=tuple(_step_from_json(step) for step in stored["steps"]),
        input_schema=stored.get("input_schema", {}),
        outputs=stored.get("outputs", {}),
        title=stored.get("title", ""),
        priority=stored.get("priority", 0),
        weight=stored.get("weight", 1),
    )


def _step_to_json(step: PlanStep) -> dict[str, Any]:
    stored: dict[str, Any] = {"index": step.index, "key": step.key, "title": step.title, "kind": step.kind}
    for name, default in _DEFAULTS.items():
        value = getattr(step, name)
        if name not in stored and value != default:
            stored[name] = _value_to_json(value)
    return stored


def _value_to_json(value: Any) -> Any:
    match value:
        case Retry():
            return [value.attempts, value.base, value.cap]
        case GateSpec():
            return {f.name: _value_to_json(getattr(value, f.name)) for f in fields(value)}
        case Branch():
            return [value.when, list(value.then)]
        case tuple():
            return [_value_to_json(item) for item in value]
        case _:
            return value


def _step_from_json(stored: Mapping[str, Any]) -> PlanStep:
    values = dict(stored)
    for name in _STEP_TUPLES & values.keys():
        values[name] = tuple(values[name])
    if "branches" in values:
        values["branches"] = tuple(Branch(when, tuple(then)) for when, then in values["branches"])
    if "retry" in values:
        values["retry"] = Retry(*values["retry"])
    if gate := values.get("gate"):
        values["gate"] = GateSpec(**{**gate, "allowed": tuple(gate["allowed"])})
    return PlanStep(**values)
