"""Celery tasks of this app, all on queue `control` and safe to lose, repeat or run twice at once."""

from celery import shared_task


@shared_task
def measure() -> None:
    """Keep the figures of the analytics pages up with the event log."""
    from monitoring.metrics import folding  # noqa: PLC0415 - only the control worker needs it

    folding.catch_up()


@shared_task
def begin_month() -> None:
    """Set what each team with a tier may spend in the month that begins."""
    from monitoring.costs import tiers  # noqa: PLC0415 - as above

    tiers.begin_month()
