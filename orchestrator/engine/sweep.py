"""Repairs: take back what dead workers left, fire what is due.

Called by the control worker, safe to call twice at once.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import structlog
from django.db import DatabaseError, Error, connection, transaction
from django.db.models.functions import Now

from agents.messaging import upkeep as messages
from agents.types import Json
from orchestrator import db, presence
from orchestrator.definitions.serialise import every_field
from orchestrator.engine import (
    admission,
    breakers,
    budgeting,
    compensation,
    consumers,
    deadlines,
    gates,
    lanes,
    mailing,
    remote,
    scheduling,
    selecting,
    transitions,
    waking,
)
from orchestrator.engine.gates import Subject
from orchestrator.engine.plans import step_in_trouble
from orchestrator.engine.work import KINDS
from orchestrator.models import Shift, Task, Timer
from orchestrator.ports import gatekeeper

log = structlog.get_logger(__name__)
_SECOND_LOOK_SECONDS = 0.3  # sweep_shifts_v2 wants to find a session lock free twice


def sweep() -> None:
    """Return the tasks of dead shifts; a task that has lost three workers waits for a person."""
    each(sweep_once, adopt_declined)
    if Shift.objects.filter(ended_at=None, suspected_at__isnull=False).exists():
        time.sleep(_SECOND_LOOK_SECONDS)
        sweep_once()


def tend() -> None:
    """Let go on what waits for a budget or an agent that is back; look after messages, and who is still heard."""
    each(budgeting.tend, selecting.tend, presence.tend, messages.tend)


def each(*parts: Callable[[], object]) -> None:
    """Do one after the other. The failure of one never stops the others, unless the database is away."""
    for part in parts:
        try:
            part()
        except Exception as problem:
            log.exception("upkeep_failed", part=getattr(part, "__qualname__", repr(part)))
            if isinstance(problem, Error) and not connection.is_usable():
                connection.close()
                raise


@transaction.atomic
def sweep_once() -> None:
    """One look at all live shifts."""
    for pk in db.sweep_shifts():
        _quarantine(pk)


@transaction.atomic
def adopt_declined() -> None:
    """Tasks that workers of an older release declined go to those of this one."""
    transitions.adopt([*KINDS, *(lanes.of_field(name) for name in every_field())])


def _quarantine(pk: int) -> None:
    task = Task.objects.select_related("run").get(pk=pk)
    step = step_in_trouble(task)
    subject = Subject(
        task_id=pk,
        run_id=task.run_id,
        workflow_id=task.workflow_id,
        requested_by=task.run.started_by_id,
        undoing=compensation.undoes(task.spec),
    )
    error: dict[str, Json] = {
        "kind": "infrastructure",
        "code": "worker_lost",
        "message": "three workers died while running it",
    }
    rule = "three workers were lost while running it"
    request = gates.for_trouble(step, subject, kind="quarantine", rule=rule, error=error)
    transitions.quarantine(pk, request)


def fire_timers() -> None:
    """Fire every timer that is due by the database's clock. The failure of one never stops the others."""
    each(
        _fire_retries, breakers.attend, admission.admit, scheduling.fire_due, remote.tend, _wake_sleepers,
        _pass_over_unsent, _fire_rest,
    )  # fmt: skip


def _fire_retries() -> None:
    while db.fire_retries() == 1000:
        pass


def _wake_sleepers() -> None:
    while waking.fire_sleepers() == waking.BATCH:
        pass


def _pass_over_unsent() -> None:
    while waking.pass_over_unsent() == waking.BATCH:
        pass


def _fire_rest() -> None:
    while _fire_batch() == _BATCH:
        pass


def _fire_batch() -> int:
    due = list(Timer.objects.filter(kind__in=_FIRE, fired_at=None, due_at__lte=Now()).order_by("due_at", "pk")[:_BATCH])
    for timer in due:
        try:
            _fire(timer)
        except Exception:
            log.exception("timer_failed", kind=timer.kind, ref=timer.ref)
            connection.close_if_unusable_or_obsolete()
            _put_off(timer)
    return len(due)


def _fire(timer: Timer) -> None:
    """At least once: what it does looks again under its own locks whether there is still anything to do."""
    _FIRE[timer.kind](timer.ref)
    Timer.objects.filter(pk=timer.pk, fired_at=None).update(fired_at=Now())


def _put_off(timer: Timer) -> None:
    """Timers that fail again and again must not stand in front of the others for ever."""
    with suppress(DatabaseError):
        Timer.objects.filter(pk=timer.pk, fired_at=None).update(due_at=Now() + _PUT_OFF)


def _signal(ref: int) -> None:
    waking.hand_out_signal(ref)
    consumers.hand_on_signal(ref)


_BATCH = 500
_PUT_OFF = timedelta(seconds=5)
_FIRE: dict[str, Callable[[int], object]] = {
    "gate_deadline": lambda gate: gatekeeper().deadline_reached(gate),
    "gate_reminder": lambda gate: gatekeeper().remind(gate),
    "gate_release": lambda gate: gatekeeper().release_reached(gate),
    deadlines.TIMER: deadlines.reached,
    deadlines.OVER: deadlines.over,
    "wait_deadline": waking.wait_overdue,
    "wait_opened": waking.look_back,
    "run_ended": waking.child_ended,
    "run_orphaned": waking.cancel_orphan,
    "signal": _signal,
    "group": consumers.hand_on,
    mailing.KIND: mailing.look,
}
