"""A run's deadline, by the database's clock: at it the run goes before all others, and people decide about it."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Now

from agents.types import Json
from orchestrator import db, events
from orchestrator.engine import gates, steering, transitions
from orchestrator.engine.plans import plan_of
from orchestrator.errors import IllegalTransition
from orchestrator.models import Run, Timer
from orchestrator.ports import gatekeeper
from orchestrator.states import RUN_TERMINAL

TIMER: Final = "run_deadline"
OVER: Final = "run_over"  # set by a trigger with the end of a run that has a deadline
URGENT: Final = 100  # the highest priority that people can give


def set_deadline(run_id: int, at: datetime | None) -> None:
    """Give a locked, or just started, run its one deadline; None takes it away. Nobody is asked about the old one."""
    Timer.objects.filter(kind=TIMER, ref=run_id, fired_at=None).update(fired_at=Now())
    Run.objects.filter(pk=run_id).update(deadline_at=at)
    gatekeeper().withdraw_run_gate(run_id, reason="The run's deadline was changed.")
    if at is not None:
        Timer.objects.create(kind=TIMER, ref=run_id, due_at=at)


def extend(run: Run, *, seconds: float, actor: str, reason: str) -> None:
    """Give a locked run a deadline so long from now. Raises IllegalTransition when it has ended."""
    if run.status in RUN_TERMINAL:
        raise IllegalTransition(what=f"Run {run.pk}", status=run.status, verb="given another deadline")
    before, at = run.deadline_at, db.clock() + timedelta(seconds=seconds)
    set_deadline(run.pk, at)
    moved: dict[str, Json] = {"from": before.isoformat() if before else None, "to": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    events.append("run.deadline_changed", actor=actor, run_id=run.pk, data={"reason": reason, **moved})


@transaction.atomic
def reached(run_id: int) -> None:
    """A run's deadline has passed: if it is alive, it goes first from now on, and people are asked, once a deadline.

    Looks again under the run's lock.
    """
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
    gatekeeper().open_gate(gates.for_deadline(run, queue=plan_of(run.version_id).escalation_queue))


@transaction.atomic
def over(run_id: int) -> None:
    """A run that has a deadline has ended: nobody needs to decide about it any more."""
    run = transitions.lock_run(run_id)
    if run.status in RUN_TERMINAL:
        gatekeeper().withdraw_run_gate(run_id, reason="The run has ended.")
