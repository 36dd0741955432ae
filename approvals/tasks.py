"""Celery tasks of the people's side, on queue `control`. Each is safe to lose, repeat or run twice at once."""

import structlog
from celery import shared_task

from approvals import stranded

log = structlog.get_logger(__name__)


@shared_task
def watch_gates() -> None:
    """Put gates that nobody can answer before the administrators."""
    opened, closed = stranded.look()
    if opened or closed:
        log.info("gates.stranded", opened=opened, closed=closed)
