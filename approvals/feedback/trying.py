"""Which gates there are to try another rule on, what a form or a text says of them, and a threshold moved in steps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agents.expressions import ExpressionError
from approvals.feedback.backtest import MOST, USUAL, Backtest, Rule, backtest
from approvals.permissions import Person
from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.models import Workflow
from orchestrator.past import plan_of

SWEEP: Final = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_THRESHOLD: Final = re.compile(r"(?<![\w.])confidence\s*<=?\s*(0?\.\d+|1\.0+|1)(?![\w.])")


@dataclass(frozen=True, slots=True)
class GateNow:
    """A step that asks by a rule, and the rule."""

    key: str
    title: str
    queue: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Moved:
    """The rule with another threshold, and what that would have changed."""

    threshold: float
    is_current: bool
    when: str
    found: Backtest


def gates_of(workflow: Workflow) -> list[GateNow]:
    """The steps of the current version whose output people may be asked about."""
    version = workflow.current_version
    return list(_gates(plan_of(version.pk))) if version else []


def changed_gates(workflow: Workflow, plan: Plan) -> Iterator[GateNow]:
    """The gates whose rule a new plan changes; one that it drops never asks."""
    now = {gate.key: gate for gate in _gates(plan)}
    for gate in gates_of(workflow):
        new = now.get(gate.key)
        if new is None:
            yield GateNow(gate.key, gate.title, gate.queue, Rule("false"))
        elif new.rule != gate.rule:
            yield new


def rule_of(gate: GateNow, when: str | None, sample: str | None) -> Rule:
    """What a form says; the rule in force where it says nothing."""
    return Rule((when or "").strip() or gate.rule.when, _share(sample, gate.rule.sample))


def bounded(text: str) -> int:
    """How many decisions to look at."""
    return max(1, min(int(text), MOST)) if text.isascii() and text.isdigit() and len(text) < 6 else USUAL


def sweep(workflow: Workflow, step: str, rule: Rule, *, user: Person | None, limit: int = USUAL) -> Iterator[Moved]:
    """The rule with its threshold of confidence moved in steps; nothing where it has none, or several."""
    places = list(_THRESHOLD.finditer(rule.when))
    if len(places) != 1:
        return
    start, end = places[0].span(1)
    current = float(places[0][1])
    for threshold in sorted({*SWEEP, current}):
        when = f"{rule.when[:start]}{threshold:g}{rule.when[end:]}"
        try:
            found = backtest(workflow, step, Rule(when, rule.sample), user=user, limit=limit)
        except ExpressionError:
            return
        yield Moved(threshold, threshold == current, when, found)


def _gates(plan: Plan) -> Iterator[GateNow]:
    for step in plan.steps:
        if step.gate is not None and step.kind in ("automated", "approval"):
            yield _gate(step)


def _gate(step: PlanStep) -> GateNow:
    assert step.gate is not None
    return GateNow(step.key, step.title, step.gate.queue, Rule(step.gate.when or "true", step.gate.sample))


def _share(text: str | None, usual: float) -> float:
    try:
        found = float(text) if text not in (None, "") else usual
    except ValueError:
        return usual
    return found if 0 <= found <= 1 else usual
