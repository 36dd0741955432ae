"""The last look before an output goes out, wherever it does: what is critical goes nowhere without people.

It stands apart from the rule that asks them (`settling.asks_people`) and from the gate that holds their answer: where
one of these has failed or was gone around, the output is held, and the event `task.withheld` says so.
"""

from collections.abc import Mapping
from typing import Any, Final

from agents.types import Json
from orchestrator import events
from orchestrator.definitions import expressions
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.definitions.plan import GateSpec, PlanStep
from orchestrator.engine import delivery, gates
from orchestrator.models import Task
from orchestrator.ports import gatekeeper

_CRITICAL: Final = "critical"


def must_ask(step: PlanStep, context: Mapping[str, Any]) -> bool:
    """Whether an output that nobody was asked about is critical and its step's rule wants people."""
    spec = step.gate
    if spec is None or not _may_be_critical(spec):
        return False
    return expressions.holds(spec.when or "true", context) and gates.risk_of(spec.risk, context) == _CRITICAL


def is_unapproved(task: Task, step: PlanStep, output: dict[str, Json]) -> bool:
    """Whether people were asked about what waits here, it is critical, and their last answer is not that they agree."""
    if step.gate is None or not _may_be_critical(step.gate):
        return False
    answer = gatekeeper().answers_about([task.pk]).get(task.pk, "approved")
    if answer == "approved":
        return False
    try:
        return gates.risk_of(step.gate.risk, delivery.context_of(task, step, output)) == _CRITICAL
    except ExpressionError:
        return True


def withheld(task: Task, *, actor: str, why: str) -> None:
    """Say that an output was to go out without the people it needs, and did not."""
    data: dict[str, Json] = {"attempt": task.attempt, "why": why}
    events.append("task.withheld", actor=actor, run_id=task.run_id, task_id=task.pk, data=data)


def _may_be_critical(spec: GateSpec) -> bool:
    return spec.risk == _CRITICAL or "${" in spec.risk
