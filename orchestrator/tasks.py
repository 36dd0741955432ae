"""Celery tasks: shifts on queue `shifts`, upkeep on queue `control`.

Each is safe to lose, repeat or run twice at once.
"""

import structlog
import uvloop
from celery import shared_task
from django.conf import settings
from django.db import connections

from agents.memory import store as memory_store
from agents.messaging import upkeep as messages
from agents.registry import load_apps
from agents.tools.registry import autodiscover as discover_tools
from orchestrator import dispatch, ledger, signals, weekly
from orchestrator.engine import caching, lanes, model_desk, scheduling, stranded, timekeeper
from orchestrator.engine import sweep as upkeep
from orchestrator.engine.draining import is_draining, leaving
from orchestrator.engine.shift import Shift
from orchestrator.models import Shift as ShiftRow
from orchestrator.ports import upkeep as upkeep_above
from orchestrator.sequencer import run_sequencer

log = structlog.get_logger(__name__)
SEQUENCER_SECONDS = 30.0
UPKEEP_SECONDS = 1.0
TIMEKEEPER_SECONDS = 30.0
PATIENT_RINGS = 15  # of ensure_shifts, which comes every other second
SELDOM = 10  # then one in so many

_unanswered: dict[str, int] = {}  # by pool: rings in a row after which no shift of it was open


@shared_task
def work_shift() -> None:
    """Work at the engine for one shift, then ask for the next one.

    While the broker is away nobody would hear that: then this process works the next one itself.
    """
    if _live_shifts() >= settings.SHIFTS:  # cheaper than finding out by opening one
        return
    load_apps()  # the library's agents when a step names them
    discover_tools()
    while _work() and not is_draining() and not dispatch.ring(work_shift):
        continue


def _work() -> bool:
    """One shift; False when there was no room for it."""
    shift = Shift(
        capacity=settings.SHIFT_CAPACITY,
        seconds=settings.SHIFT_SECONDS,
        lease=settings.LEASE_SECONDS,
        draining=is_draining,
        most=settings.SHIFTS,
    )
    connections.close_all()
    settled = uvloop.run(shift.run())
    if settled is None:
        return False
    log.info("shift_done", settled=settled)
    return True


@shared_task
def ensure_shifts() -> None:
    """Ring for as many shifts as are missing, in each pool that this process knows of.

    Where nobody answers, the messages stay with the broker until a worker is there: then it is rung for seldom.
    """
    for pool, wanted in {settings.POOL: settings.SHIFTS, **settings.POOLS}.items():
        live = _live_shifts(pool)
        _unanswered[pool] = 0 if live else _unanswered.get(pool, 0) + 1
        is_seldom = _unanswered[pool] > PATIENT_RINGS and _unanswered[pool] % SELDOM
        if live < wanted and not is_seldom:
            dispatch.ring(work_shift, times=wanted - live, queue=lanes.queue_of(pool))


def _live_shifts(pool: str = "") -> int:
    return ShiftRow.objects.filter(ended_at=None, pool=pool or settings.POOL).count()


@shared_task
def sweep() -> None:
    """Take back what dead workers left, and ring at once for shifts in place of theirs."""
    before = ShiftRow.objects.filter(ended_at=None).count()
    upkeep.sweep()
    upkeep.tend()
    if ShiftRow.objects.filter(ended_at=None).count() < before:
        ensure_shifts()


@shared_task
def fire_timers() -> None:
    """Fire what is due."""
    upkeep.fire_timers()


@shared_task
def keep_time() -> None:
    """Fire timers as they come due for a while, if nobody else does, then ask for the next one."""
    while timekeeper.keep_time(TIMEKEEPER_SECONDS, leaving) and not is_draining() and not dispatch.ring(keep_time):
        continue


@shared_task
def sequence() -> None:
    """Seal events for a while, if nobody else does, then ask for the next one.

    While the broker is away beat rings in vain: then the leader goes on, and does the upkeep that beat would ring for.
    """
    seconds = SEQUENCER_SECONDS
    while run_sequencer(seconds, leaving) and not is_draining() and not dispatch.ring(sequence):
        sweep()
        fire_timers()
        _keep_up()
        seconds = UPKEEP_SECONDS


def _keep_up() -> None:
    for task in upkeep_above():
        try:
            task()
        except Exception:  # whatever is wrong there, events are sealed
            log.exception("upkeep.failed")


@shared_task
def tend_signals() -> None:
    """Forget signals, messages, fired timers and what became of scheduled slots when their time is over."""
    signals.forget_old()
    messages.forget_old()
    scheduling.forget_old()


@shared_task
def rescue() -> None:
    """Find runs that nothing would move any more, and ask people about them; forget what models said in ended tasks."""
    stranded.rescue()
    model_desk.forget_ended()


@shared_task
def purge_results() -> None:
    """Forget agents' results that are too old to be used again, and what agents remembered until now."""
    while caching.purge() or memory_store.purge():
        continue


@shared_task
def tend_ledger() -> None:
    """Make the months ahead their partitions, and look for events that no reader would ever see."""
    ledger.tend()


@shared_task
def draw_weekly() -> None:
    """Draw what people look at of the week's work."""
    weekly.draw()
