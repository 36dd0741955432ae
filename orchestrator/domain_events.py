"""Events by the names that other systems know: `agent_orchestration.TASK_STARTED`. Pure."""

from collections.abc import Mapping
from typing import Final

from agents.types import Json

PREFIX: Final = "agent_orchestration"
DONE_BY_PEOPLE: Final = "assignment.completed"
_NAMES: Final[Mapping[str, str]] = {
    "task.started": "TASK_STARTED",
    "task.succeeded": "TASK_COMPLETED",
    "task.failed": "AGENT_FAILED",
    "task.retry_scheduled": "AGENT_FAILED",  # it has failed, and is tried again
    "task.assigned": "AGENT_ASSIGNED",
    "task.fell_back": "AGENT_REPLACED",
    "task.lost": "AGENT_LOST",
    "finding.discovered": "FINDING_DISCOVERED",
    "checkpoint.made": "CHECKPOINT_CREATED",
    "conflict.found": "CONFLICT_DETECTED",
    "budget.warned": "BUDGET_WARNING",
    "budget.exceeded": "BUDGET_EXCEEDED",
    "breaker.opened": "CIRCUIT_OPENED",
    "breaker.closed": "CIRCUIT_CLOSED",
}


def name_of(kind: str, data: Mapping[str, Json] | None = None) -> str | None:
    """The name of an event about how agents work together, or of people's work that is done; None for any other."""
    if kind == "gate.decided" and data and data.get("verdict") == "complete":
        return f"{DONE_BY_PEOPLE}.{data.get('gate')}"
    name = _NAMES.get(kind)
    return f"{PREFIX}.{name}" if name else None
