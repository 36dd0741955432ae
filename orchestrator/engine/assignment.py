"""A claimed task together with what a worker needs to run it."""

from dataclasses import dataclass, field
from typing import Any

from agents import registry
from agents.types import Json
from orchestrator.budgets import NOTHING, Used
from orchestrator.db import Claimed
from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.engine.lanes import BLOCKING, lane_for


@dataclass(slots=True)
class Assignment:
    """A claimed task with what it needs: its step and the values its expressions may read."""

    claimed: Claimed
    plan: Plan
    step: PlanStep
    context: dict[str, Any]  # input, steps
    correlation_id: str
    used: Used = NOTHING  # by its call, once that has ended
    told: dict[str, Json] = field(default_factory=dict)  # facts for the event of its end
    mail: bool = False  # its agent has looked into its mailbox: what it read is settled with it
    seen: int = 0  # coordinating: the last note of a person that its pattern has been told

    @property
    def lane(self) -> str:
        """The lane that the task came from, as far as this process knows its agent: no database is asked."""
        step = self.step
        spec = registry.find(step.agent, step.agent_version) if step.agent else None
        return lane_for(spec.isolation, step.lane) if spec is not None and step.lane != BLOCKING else step.lane

    @property
    def literal_input(self) -> dict[str, Json] | None:
        """The input that a pattern or a person gave this task, in place of its step's `inputs`."""
        given: dict[str, Json] | None = (self.claimed.spec or {}).get("given")
        return given
