"""What other rooms need to look at the past: plans, outputs as they were given, and what was drawn."""

from typing import Any

from orchestrator.definitions.plan import Plan
from orchestrator.engine import delivery, plans, sampling


def plan_of(version_id: int) -> Plan:
    """The plan of a version."""
    return plans.plan_of(version_id)


def output_of(stored: Any) -> Any:
    """An output as its agent gave it, fetched from where large ones are kept."""
    return delivery.unpack(stored)


def is_drawn(task_id: int, share: float) -> bool:
    """Whether a task is among the share of all that is looked at."""
    return sampling.is_drawn(task_id, share)
