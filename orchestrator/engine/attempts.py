"""The end of an attempt that is not settled in a batch: its row, and what its call held of budgets."""

from django.db.models.functions import Now

from agents.types import Json
from orchestrator import budget_db
from orchestrator.budgets import NOTHING, Used
from orchestrator.models import Attempt, Task
from orchestrator.states import AttemptStatus


def end_attempt(
    task: Task,
    status: AttemptStatus,
    *,
    version: int = 0,
    error: dict[str, Json] | None = None,
    used: Used | None = None,
) -> None:
    """Record the end of a task's running attempt, and settle what its call held of budgets."""
    usage = (used or NOTHING).usage
    Attempt.objects.update_or_create(
        task_id=task.pk,
        number=task.attempt,
        defaults={
            "status": status,
            "shift": task.shift,
            "agent_version": version or None,
            "started_at": task.started_at,
            "ended_at": Now(),
            "error": error,
            "tokens_in": usage.tokens_in,
            "tokens_out": usage.tokens_out,
            "cost": usage.cost,
        },
    )
    if used is None or used.held:
        budget_db.settle_budgets([(task.pk, task.attempt)], [used.by_resource() if used else None])
