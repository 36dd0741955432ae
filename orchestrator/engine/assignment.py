"""A claimed task together with what a worker needs to run it."""

from dataclasses import dataclass
from typing import Any

from orchestrator.db import Claimed
from orchestrator.definitions.plan import Plan, PlanStep


@dataclass(slots=True)
class Assignment:
    """A claimed task with what it needs: its step and the values its expressions may read."""

    claimed: Claimed
    plan: Plan
    step: PlanStep
    context: dict[str, Any]  # input, steps
    correlation_id: str
