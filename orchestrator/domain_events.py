"""Events by the names that other systems know: `agent_orchestration.TASK_STARTED`. Pure."""

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "agent_orchestration"
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


def name_of(kind: str) -> str | None:
    """The name of an event about how agents work together; None for any other kind."""
    name = _NAMES.get(kind)
    return f"{PREFIX}.{name}" if name else None
