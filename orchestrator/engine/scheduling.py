"""Schedules fire here: by the database's clock, each slot once, however many look at the same time.

Claiming a slot, working out the next one and starting the run are one transaction under the schedule's row. Whoever
comes second finds the row locked, or no longer due; should both be wrong, `one_start_per_slot` and the run's
idempotency key refuse the second start.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import OperationalError, transaction
from django.db.models.functions import Now

from agents.types import Json
from orchestrator import db, events, orders
from orchestrator.definitions import cron
from orchestrator.engine import admission, starting
from orchestrator.errors import OrchestratorError
from orchestrator.models import Run, Schedule, ScheduledStart
from orchestrator.ports import rights
from orchestrator.states import RUN_LIVE

BATCH: Final = 200  # schedules looked at in one go
MISSED: Final = timedelta(seconds=60)  # a slot that is so late was missed
LOOKED_AT: Final = 100  # of its latest starts, whether one is still alive
KEPT: Final = timedelta(days=90)  # how long it is known what became of a slot
Outcome = ScheduledStart.Outcome

log = structlog.get_logger(__name__)


def fire_due() -> int:
    """Fire every schedule that is due, and start what waited for the end of an earlier run; return how many."""
    due = Schedule.objects.filter(enabled=True, next_due__lte=Now()).order_by("next_due")
    found = list(due.values_list("pk", flat=True)[:BATCH])
    for pk in found:
        try:
            _fire(pk)
        except OperationalError:
            raise  # the database's trouble, not the schedule's: it stays due
        except Exception as problem:
            log.exception("schedule_failed", schedule=pk)
            _give_up(pk, f"it could not be started ({type(problem).__name__}); the log says why")
    for pk in Schedule.objects.filter(queued__isnull=False).values_list("pk", flat=True)[:BATCH]:
        _follow(pk)
    return len(found)


def claim(pk: int, **due: Any) -> Schedule | None:
    """The locked schedule, unless somebody else is at it or it is not so any more."""
    free = Schedule.objects.select_for_update(of=("self",), skip_locked=True).select_related("workflow", "owner")
    return free.filter(pk=pk, enabled=True, **due).first()


@transaction.atomic
def _fire(pk: int) -> None:
    schedule = claim(pk, next_due__lte=Now())
    if schedule is None:
        return
    now, due = _take_slot(schedule)
    late = now - due.slot > MISSED
    facts: dict[str, Json] = {"missed": due.missed} if due.missed else {}
    if late:
        facts["late_s"] = round((now - due.slot).total_seconds())
    if late and schedule.missed == Schedule.Missed.SKIP:
        tell(schedule, due.slot, Outcome.MISSED, facts, problem="nothing ran that could have started it in time")
    elif schedule.overlap == Schedule.Overlap.ALLOW or not is_busy(schedule):
        start(schedule, due.slot, facts)
    elif schedule.overlap == Schedule.Overlap.QUEUE and schedule.queued is None:
        Schedule.objects.filter(pk=pk).update(queued=due.slot)
        tell(schedule, due.slot, Outcome.QUEUED, facts, problem="a run of it is still alive")
    else:
        tell(schedule, due.slot, Outcome.SKIPPED, facts, problem="a run of it is still alive")


def _take_slot(schedule: Schedule) -> tuple[datetime, cron.Due]:
    """Now, and the slot that is due; from here on nobody else gets it."""
    assert schedule.next_due is not None
    now = db.clock()
    due = cron.Cron(schedule.cron, schedule.zone).due(schedule.next_due, now)
    Schedule.objects.filter(pk=schedule.pk).update(next_due=due.following)
    return now, due


@transaction.atomic
def _follow(pk: int) -> None:
    """What waited starts as soon as no run of the schedule lives."""
    schedule = claim(pk, queued__isnull=False)
    if schedule is None or schedule.queued is None or is_busy(schedule):
        return
    slot = schedule.queued
    Schedule.objects.filter(pk=pk).update(queued=None)
    start(schedule, slot, {"waited_s": round((db.clock() - slot).total_seconds())})


@transaction.atomic
def _give_up(pk: int, problem: str) -> None:
    schedule = claim(pk, next_due__lte=Now())
    if schedule is not None:
        _now, due = _take_slot(schedule)
        tell(schedule, due.slot, Outcome.REFUSED, {}, problem=problem)


def is_busy(schedule: Schedule) -> bool:
    """Whether a run of it lives, or a slot waits for one already."""
    latest = schedule.starts.exclude(run=None).order_by("-pk").values_list("run_id", flat=True)[:LOOKED_AT]
    return Run.objects.filter(pk__in=list(latest), status__in=RUN_LIVE).exists()


def start(schedule: Schedule, slot: datetime, facts: Mapping[str, Json]) -> None:
    """Start the slot's run in its owner's name. Who may start no runs any more starts none by a schedule either."""
    owner = schedule.owner
    if owner is None or not rights().can(owner, "start_run", schedule.workflow):
        name = owner.get_username() if owner else "nobody"
        problem = f"{name}, in whose name it starts, may not start runs of {schedule.workflow.name}"
        tell(schedule, slot, Outcome.REFUSED, facts, problem=problem)
        return
    try:
        with transaction.atomic():
            actor = f"schedule:{schedule.name}"
            run, _is_new = begin(schedule, slot, key=_key(slot), user=owner.pk, actor=actor)
    except OrchestratorError as problem:
        tell(schedule, slot, Outcome.REFUSED, facts, problem=str(problem))
        return
    tell(schedule, slot, Outcome.STARTED, facts, run=run)


def make_up(schedule: Schedule, slot: datetime, *, user: int, actor: str, reason: str) -> int:
    """Start a past slot's run in a person's name; return the run. The caller has locked the schedule.

    Its row is written anew, so that the run counts among the latest; a slot that has a run already has the same one.
    """
    run, _is_new = begin(schedule, slot, key=_key(slot), user=user, actor=actor)
    schedule.starts.filter(slot=slot).delete()
    ScheduledStart.objects.create(
        schedule=schedule, slot=slot, outcome=Outcome.STARTED, run_id=run, late=True, by_hand=True
    )
    said: dict[str, Json] = {"schedule": schedule.name, "workflow": schedule.workflow.name, "slot": slot.isoformat()}
    said |= {"late": True, "by_hand": True, "reason": reason}
    events.append("schedule.fired", actor=actor, run_id=run, data=said)
    return run


def _key(slot: datetime) -> str:
    """A slot's part of its run's idempotency key: whoever starts it, it is one run."""
    return f"{slot:%Y%m%dT%H%M%SZ}"


def begin(schedule: Schedule, slot: datetime, *, key: str, user: int, actor: str) -> tuple[int, bool]:
    """One run of a schedule, and whether it is new: the same key, the same run. Raises what `orders` refuses."""
    order = orders.draw_up(
        orders.find_workflow(schedule.workflow.name),
        schedule.input,
        user=user,
        title="",
        key=f"schedule:{schedule.pk}:{key}",
        correlation=f"schedule-{schedule.pk}-{slot:%Y%m%dT%H%M%SZ}",
        priority=None,
        actor=actor,
    )
    if (before := orders.started_before(order)) is not None:
        return before.pk, False
    return starting.begin(order, full=admission.limit_reached(order.workflow)), True


def tell(
    schedule: Schedule,
    slot: datetime,
    outcome: ScheduledStart.Outcome,
    facts: Mapping[str, Json],
    *,
    run: int | None = None,
    problem: str = "",
) -> None:
    """Keep what became of a slot, and append its event. A slot that has waited keeps its one row."""
    late = "late_s" in facts
    columns = {"outcome": outcome, "run_id": run, "problem": problem[:500], "at": Now()}
    if not schedule.starts.filter(slot=slot, outcome=Outcome.QUEUED).update(**columns):
        ScheduledStart.objects.create(schedule=schedule, slot=slot, late=late, **columns)
    said: dict[str, Json] = {"schedule": schedule.name, "workflow": schedule.workflow.name, "slot": slot.isoformat()}
    said |= {"late": True} if late else {}
    said |= {"problem": problem[:500]} if problem else {}
    events.append(_KINDS[outcome], actor="engine", run_id=run, data={**said, **facts})


def forget_old() -> None:
    """Forget what became of slots long ago."""
    ScheduledStart.objects.filter(at__lte=Now() - KEPT).exclude(outcome=Outcome.QUEUED).delete()


_KINDS: Final = {
    Outcome.STARTED: "schedule.fired",
    Outcome.QUEUED: "schedule.queued",
    Outcome.SKIPPED: "schedule.skipped",
    Outcome.MISSED: "schedule.skipped",
    Outcome.REFUSED: "schedule.refused",
}
