"""The only place that sends Celery messages. A message is a doorbell: lost, late or doubled, it does no harm."""

import structlog
from celery import Task
from django.db import DatabaseError
from django.db.models.functions import Now
from kombu.exceptions import KombuError

from agents import tracing
from orchestrator.models import Doorbell

log = structlog.get_logger(__name__)


def ring(task: Task, *, times: int = 1, queue: str | None = None) -> bool:
    """Ask workers to run a Celery task, on its own queue unless one is named.

    False when the broker is away, which is logged, never raised.
    """
    try:
        for _ in range(times):
            task.apply_async(retry=False, queue=queue, headers=_trace())
    except (KombuError, OSError) as problem:
        log.warning("doorbell_not_rung", task=task.name, problem=type(problem).__name__)
        _note_failure()
        return False
    return True


def _trace() -> dict[str, str] | None:
    """One hop only: a shift that asks for the next one is not part of the request that asked for the first."""
    trace = tracing.current()
    return {tracing.HEADER: trace.header} if trace and not trace.by_message else None


def _note_failure() -> None:
    """For the pages, which say for a while that the broker is away. Best effort, like the doorbell itself."""
    row = Doorbell(id=1, failed_at=Now())
    try:
        Doorbell.objects.bulk_create([row], update_conflicts=True, unique_fields=["id"], update_fields=["failed_at"])
    except DatabaseError as problem:
        log.warning("doorbell_not_noted", problem=type(problem).__name__)
