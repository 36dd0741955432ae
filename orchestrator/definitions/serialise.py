"""A plan as the JSON that is stored beside its version, and back. A worker reads each version once."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any

from agents.quality.types import ConsensusSpec, QualitySpec
from orchestrator.definitions.plan import (
    Branch,
    Compensation,
    ConflictSpec,
    GateSpec,
    GateTerms,
    LoopSpec,
    MapSpec,
    Plan,
    PlanStep,
    Retry,
    Selection,
    WaitSpec,
)

_NESTED: dict[str, type] = {
    "gate": GateSpec,
    "terms": GateTerms,
    "retry": Retry,
    "map": MapSpec,
    "loop": LoopSpec,
    "wait": WaitSpec,
    "select": Selection,
    "compensate": Compensation,
    "conflicts": ConflictSpec,
    "body": PlanStep,
    "quality": QualitySpec,
    "consensus": ConsensusSpec,
}
_KNOWN = (Plan, PlanStep, Branch, *_NESTED.values())
_TUPLES = frozenset(
    "dependencies successors needs then allowed tags agents fields checks required sections facts guardians "
    "checklist remind_s escalation skills mitigations".split()
)


class UnknownField(ValueError):
    """A plan of a later release has a field that this one does not know: it is for that one's workers."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the field {name} is not known to this release")


def every_field() -> frozenset[str]:
    """All fields that this release knows in plans, each with the name of what it belongs to."""
    return frozenset(f"{made.__name__}.{name}" for made in _KNOWN for name in _defaults(made))


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Plain JSON values. Fields that hold their default are left out: a 10,000-step plan stays small."""
    stored: dict[str, Any] = _to_json(plan)
    return stored


def plan_from_json(stored: Mapping[str, Any]) -> Plan:
    """The plan that `plan_to_json` stored, by this or an earlier release."""
    alike = _Alike()
    _refuse_unknown(Plan, stored)
    return Plan(**{**stored, "steps": tuple(step_from_json(alike.kept_once(step)) for step in stored["steps"])})


def step_to_json(step: PlanStep) -> dict[str, Any]:
    """One step, as it stands in a stored plan and in the `spec` of a spawned task."""
    stored: dict[str, Any] = _to_json(step)
    return stored


def step_from_json(stored: Mapping[str, Any]) -> PlanStep:
    """The step that `step_to_json` stored."""
    step: PlanStep = _from_json(PlanStep, stored)
    return step


def terms_to_json(terms: GateTerms) -> dict[str, Any]:
    """The terms of a gate, as they are sealed with what people see."""
    stored: dict[str, Any] = _to_json(terms)
    return stored


def terms_from_json(stored: Mapping[str, Any]) -> GateTerms:
    """The terms that `terms_to_json` stored, by this or an earlier release."""
    terms: GateTerms = _from_json(GateTerms, stored)
    return terms


class _Alike:
    """What many steps of one plan say, kept once: in ten thousand steps that is 3 MB of a worker's memory."""

    def __init__(self) -> None:
        self._known: dict[tuple[type, object], Any] = {}

    def kept_once(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """The step with values that an earlier step has, where those are equal."""
        return {name: self._first(value) for name, value in step.items()}

    def _first(self, value: Any) -> Any:
        if isinstance(value, str | float):
            return self._known.setdefault((type(value), value), value)
        if isinstance(value, dict):
            return self._known.setdefault((dict, repr(value)), value)
        return value


def _to_json(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        stored = {name: (getattr(value, name), default) for name, default in _defaults(type(value)).items()}
        return {name: _to_json(held) for name, (held, default) in stored.items() if held != default}
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


def _refuse_unknown(made: type, stored: Mapping[str, Any]) -> None:
    if unknown := stored.keys() - _defaults(made).keys():
        raise UnknownField(f"{made.__name__}.{min(unknown)}")


def _from_json(made: type, stored: Mapping[str, Any]) -> Any:
    _refuse_unknown(made, stored)
    values = dict(stored)
    for name, value in stored.items():
        if name == "branches":
            values[name] = tuple(_from_json(Branch, branch) for branch in value)
        elif name in _TUPLES:
            values[name] = tuple(value)
        elif name in _NESTED and value is not None:
            values[name] = _from_json(_NESTED[name], value)
    return made(**values)


@cache
def _defaults(made: type) -> dict[str, Any]:
    return {field.name: _default(field) for field in fields(made)}


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default
