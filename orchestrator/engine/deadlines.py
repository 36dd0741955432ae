"""A run's deadline: by the database's clock, and at it the run goes before all others."""

from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now

from agents.types import Json
from orchestrator import db, events
from orchestrator.engine import steering, transitions
from orchestrator.models import Run, Timer
from orchestrator.states import RUN_TERMINAL

TIMER = "run_deadline"
URGENT = 100  # the highest priority that people can give


def set_deadline(run_id: int, at: datetime | None) -> None:
    """Give a locked, or just started, run its one deadline; None takes it away."""
    Timer.objects.filter(kind=TIMER, ref=run_id, fired_at=None).update(fired_at=Now())
    Run.objects.filter(pk=run_id).update(deadline_at=at)
    if at is not None:
        Timer.objects.create(kind=TIMER, ref=run_id, due_at=at)


@transaction.atomic
def reached(run_id: int) -> None:
    """A run's deadline has passed: if it is alive, it goes first from now on. Looks again under the run's lock."""
    run = transitions.lock_run(run_id)
    due = Timer.objects.filter(kind=TIMER, ref=run_id, fired_at=None, due_at__lte=db.clock())
    if not due.update(fired_at=Now()) or run.deadline_at is None:
        return
    if run.status in RUN_TERMINAL:
        return
    facts: dict[str, Json] = {"deadline": run.deadline_at.isoformat(), "from": run.priority, "to": URGENT}
    events.append("run.deadline_passed", actor="engine", run_id=run.pk, data=facts)
    if run.priority < URGENT:
        steering.prioritise(run, URGENT)
