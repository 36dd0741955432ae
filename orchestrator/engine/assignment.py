"""A claimed task together with what a worker needs to run it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agents import registry
from agents.types import Json
from orchestrator.budgets import NOTHING, Used
from orchestrator.db import Claimed
from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.engine.lanes import BLOCKING, lane_for

# Shared by all tasks that need nothing from elsewhere, and never changed: a worker may hold ten thousand.
BARE: Final[Mapping[str, Any]] = {"input": {}, "steps": {}}
_NO_FACTS: Final[Mapping[str, Json]] = {}


@dataclass(slots=True)
class Assignment:
    """A claimed task with what it needs: its step and the values its expressions may read."""

    claimed: Claimed
    plan: Plan
    step: PlanStep
    context: Mapping[str, Any]  # input, steps
    correlation_id: str
    used: Used = NOTHING  # by its call, once that has ended
    told: Mapping[str, Json] = field(default_factory=lambda: _NO_FACTS)  # for the event of its end
    mail: bool = False  # its agent has looked into its mailbox: what it read is settled with it
    seen: int = 0  # coordinating: the last note of a person that its pattern has been told
    lane: str = ""  # where it takes a place of its shift
    began: float = 0.0  # when its shift began it, by this process's monotonic clock
    handle: asyncio.Task[None] | None = None  # what runs it

    def take_place(self, now: float) -> str:
        """Note when it begins and the lane that it came from, as far as this process knows its agent; that lane."""
        step = self.step
        spec = registry.find(step.agent, step.agent_version) if step.agent and step.lane != BLOCKING else None
        self.lane = step.lane if spec is None else lane_for(spec.isolation, step.lane)
        self.began = now
        return self.lane

    @property
    def literal_input(self) -> dict[str, Json] | None:
        """The input that a pattern or a person gave this task, in place of its step's `inputs`."""
        given: dict[str, Json] | None = (self.claimed.spec or {}).get("given")
        return given

    def know(self, values: Mapping[str, Any]) -> None:
        """More values that its expressions may read."""
        self.context = {**self.context, **values}

    def tell(self, **facts: Json) -> None:
        """One more fact for the event of its end."""
        self.told = {**self.told, **facts}
