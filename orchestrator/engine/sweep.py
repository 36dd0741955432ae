"""Repairs: take back what dead workers left, fire what is due.

Called by the control worker, safe to call twice at once.
"""

import time

import structlog
from django.db import connection, transaction
from django.db.models.functions import Now

from agents.types import Json
from orchestrator import db
from orchestrator.engine import gates, transitions
from orchestrator.engine.gates import Subject
from orchestrator.engine.plans import step_in_trouble
from orchestrator.engine.work import KINDS
from orchestrator.models import Shift, Task, Timer
from orchestrator.ports import gatekeeper

log = structlog.get_logger(__name__)
_SECOND_LOOK_SECONDS = 0.3  # sweep_shifts_v1 wants to find a session lock free twice


def sweep() -> None:
    """Return the tasks of dead shifts; a task that has lost three workers waits for a person."""
    sweep_once()
    adopt_declined()
    if Shift.objects.filter(ended_at=None, suspected_at__isnull=False).exists():
        time.sleep(_SECOND_LOOK_SECONDS)
        sweep_once()


@transaction.atomic
def sweep_once() -> None:
    """One look at all live shifts."""
    for pk in db.sweep_shifts():
        _quarantine(pk)


@transaction.atomic
def adopt_declined() -> None:
    """Tasks that workers of an older release declined go to those of this one."""
    transitions.adopt(KINDS)


def _quarantine(pk: int) -> None:
    task = Task.objects.select_related("run").get(pk=pk)
    step = step_in_trouble(task)
    subject = Subject(task_id=pk, run_id=task.run_id, workflow_id=task.workflow_id, requested_by=task.run.started_by_id)
    error: dict[str, Json] = {
        "kind": "infrastructure",
        "code": "worker_lost",
        "message": "three workers died while running it",
    }
    rule = "three workers were lost while running it"
    request = gates.for_trouble(step, subject, kind="quarantine", rule=rule, error=error)
    transitions.quarantine(pk, request)


def fire_timers() -> None:
    """Fire every timer that is due by the database's clock. One gate's failure never stops the others."""
    while db.fire_retries() == 1000:
        pass
    due = Timer.objects.filter(kind="gate_deadline", fired_at=None, due_at__lte=Now()).order_by("due_at")
    for timer in due[:500]:
        try:
            _fire_deadline(timer)
        except Exception:
            log.exception("deadline_failed", gate_id=timer.ref)
            connection.close_if_unusable_or_obsolete()


@transaction.atomic
def _fire_deadline(timer: Timer) -> None:
    """At least once: the gatekeeper looks at the gate again under its lock."""
    gatekeeper().deadline_reached(timer.ref)
    Timer.objects.filter(pk=timer.pk, fired_at=None).update(fired_at=Now())
