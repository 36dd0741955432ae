"""Celery tasks of this app, all on queue `control` and safe to lose, repeat or run twice at once."""

from celery import shared_task


@shared_task
def index_mentions() -> None:
    """Note whom and what the new part of the log speaks of."""
    from monitoring.forensics import indexing  # noqa: PLC0415 - a worker that indexes nothing need not load it

    indexing.index()
