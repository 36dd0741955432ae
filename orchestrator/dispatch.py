"""The only place that sends Celery messages. A message is a doorbell: lost, late or doubled, it does no harm."""

import structlog
from celery import Task
from kombu.exceptions import KombuError

log = structlog.get_logger(__name__)


def ring(task: Task, *, times: int = 1) -> bool:
    """Ask workers to run a Celery task; False when the broker is away, which is logged, never raised."""
    try:
        for _ in range(times):
            task.apply_async(retry=False)
    except (KombuError, OSError) as problem:
        log.warning("doorbell_not_rung", task=task.name, problem=type(problem).__name__)
        return False
    return True
