"""Celery tasks of this app, all on queue `control` and safe to lose, repeat or run twice at once."""

import subprocess
import sys
from dataclasses import dataclass

import structlog
from celery import shared_task
from django.conf import settings

from approvals import stranded
from approvals.answerable import calling

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Started:
    """The last process that this worker has started to answer questions."""

    process: subprocess.Popen[bytes] | None = None


_started = _Started()


@shared_task
def tell_people() -> None:
    """Write notices of what is new in the log; what is due leaves from a thread, so that no network holds up upkeep."""
    from approvals.notices import delivering, telling  # noqa: PLC0415 - 3 MB that only the control worker needs

    telling.tell()
    if delivering.is_due():
        delivering.in_background()


@shared_task
def forget_notices() -> None:
    """Delete notices whose time is over."""
    from approvals.notices import services  # noqa: PLC0415 - as above

    while services.forget_old():
        continue


@shared_task
def watch_gates() -> None:
    """Put gates that nobody can answer before the administrators, and call the next on call where nobody does."""
    opened, closed = stranded.look()
    if opened or closed:
        log.info("gates.stranded", opened=opened, closed=closed)
    if called := calling.look():
        log.info("gates.called", called=called)


@shared_task
def learn() -> None:
    """Draw lessons from what people decided, and open the work that the figures ask for."""
    from approvals.feedback import learning, watching  # noqa: PLC0415 - as above

    opened = watching.look(learning.learn())
    if opened:
        log.info("improvements.opened", opened=opened)


@shared_task
def propose() -> None:
    """Propose changes of gates that the figures speak for."""
    from approvals.feedback import proposals  # noqa: PLC0415 - as above

    made = proposals.look()
    if made:
        log.info("proposals.made", made=made)


@shared_task
def answer_questions() -> None:
    """Start a process that answers what reviewers asked agents, where none is at it; it looks again by itself."""
    from approvals import asking  # noqa: PLC0415 - as above

    if not asking.is_due() or (_started.process is not None and _started.process.poll() is None):
        return
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "answer_questions"]
    _started.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=settings.BASE_DIR)


@shared_task
def keep_able() -> None:
    """Draw decisions for checks and second looks, open the checks that are owed, and measure people's minutes."""
    from approvals.able import minutes, planning  # noqa: PLC0415 - as above

    planning.draw()
    planning.open_owed()
    minutes.measure()


@shared_task
def draft_cases() -> None:
    """Draft gold cases from what was decided, for people to confirm; forget measures whose time is over."""
    from approvals.able import cases, measures  # noqa: PLC0415 - as above

    cases.draft_everywhere()
    measures.forget_old()
