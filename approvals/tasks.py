"""Celery tasks of this app, all on queue `control` and safe to lose, repeat or run twice at once."""

import structlog
from celery import shared_task

from approvals import stranded
from approvals.able import cases, measures, minutes, planning
from approvals.notices import delivering, services, telling

log = structlog.get_logger(__name__)


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


@shared_task
def watch_gates() -> None:
    """Put gates that nobody can answer before the administrators."""
    opened, closed = stranded.look()
    if opened or closed:
        log.info("gates.stranded", opened=opened, closed=closed)


@shared_task
def keep_able() -> None:
    """Draw decisions for checks and second looks, open the checks that are owed, and measure people's minutes."""
    planning.draw()
    planning.open_owed()
    minutes.measure()


@shared_task
def draft_cases() -> None:
    """Draft gold cases from what was decided, for people to confirm; forget measures whose time is over."""
    cases.draft_everywhere()
    measures.forget_old()
