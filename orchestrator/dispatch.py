"""The only place that sends Celery messages. A message is a doorbell: lost, late or doubled, it does no harm."""

import structlog
from celery import Task
from django.db import DatabaseError, connection
from kombu.exceptions import KombuError

log = structlog.get_logger(__name__)


def ring(task: Task, *, times: int = 1) -> bool:
    """Ask workers to run a Celery task; False when the broker is away, which is logged, never raised."""
    try:
        for _ in range(times):
            task.apply_async(retry=False)
    except (KombuError, OSError) as problem:
        log.warning("doorbell_not_rung", task=task.name, problem=type(problem).__name__)
        _note_failure()
        return False
    return True


def _note_failure() -> None:
    """For the pages, which say for a while that the broker is away. Best effort, like the doorbell itself."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO orchestrator_doorbell (id, failed_at) VALUES (1, now()) "
                "ON CONFLICT (id) DO UPDATE SET failed_at = excluded.failed_at"
            )
    except DatabaseError as problem:
        log.warning("doorbell_not_noted", problem=type(problem).__name__)
