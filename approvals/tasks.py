"""Celery tasks of this app, all on queue `control` and safe to lose, repeat or run twice at once."""

from celery import shared_task

from approvals.notices import delivering, services, telling


@shared_task
def tell_people() -> None:
    """Write notices of what is new in the log; what is due leaves from a thread, so that no network holds up upkeep."""
    telling.tell()
    if delivering.is_due():
        delivering.in_background()


@shared_task
def forget_notices() -> None:
    """Delete notices whose time is over."""
    while services.forget_old():
        continue
