"""Whether people have the minutes that agents ask of them, and what follows when they have not.

Supply: who may decide in a queue, is not away and has hours there until the horizon; half of the time of who is at
work, a quarter of others'. Demand: what is open, at the median of what a decision took. Where demand is larger, the
workflows that ask may have so many runs under way as people can decide until then. Where nobody qualified is present
the queue is unattended: its gates wait, whatever their timeout says, and everything that asks nobody goes on.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from agents.types import Json
from approvals import calendars, deciders, delegation, permissions
from approvals.able import measures
from approvals.models import Care, Gate, GateStatus, Handling, Queue, Sitting
from orchestrator import events, pacing
from orchestrator.models import StartPace, Workflow

HORIZON: Final = timedelta(hours=8)
AT_WORK: Final = 0.5  # of the time of somebody who is present
ON_CALL: Final = 0.25  # of somebody who is not, and could be
USUAL_S: Final = 120.0  # of a decision where nothing was measured yet
FEWEST: Final = 5  # measured decisions before their median is believed
LEAST_DEMAND: Final = 30.0  # minutes of work that wait before anything is held back
LET_GO: Final = 0.8  # a workflow goes at full pace again when demand is so far below supply
_STEP: Final = timedelta(minutes=15)
_LOOKED_AT: Final = 100  # of a queue


@dataclass(frozen=True, slots=True)
class Supply:
    """The people of one queue: how many are at work now, and their minutes until the horizon."""

    present: int
    minutes: float


def measure(now: datetime | None = None) -> list[Care]:
    """Measure every queue, note whose people came or went, and bend the pace of those who ask. Once a minute."""
    now = now or timezone.now()
    supply, handling = supplies(now), handling_times()
    waiting = dict(Gate.objects.filter(status=GateStatus.OPEN).order_by().values_list("queue").annotate(n=Count("pk")))
    found = []
    for queue in Queue.objects.order_by("pk"):
        seconds = handling.get(queue.pk, USUAL_S)
        found.append(_note(queue, supply[queue.pk], seconds, waiting.get(queue.pk, 0), now))
    if settings.ATTENTION == "bend":
        bend({care.queue_id: care for care in found})
    return found


def supplies(now: datetime) -> dict[int, Supply]:
    """The people of each queue; whoever decides in several gives each an equal share of their time."""
    by_queue, away = deciders.by_queue(), delegation.away_now()
    busy = set(Gate.objects.filter(status=GateStatus.OPEN).order_by().values_list("queue", flat=True).distinct())
    at_work = present(now)
    shared: dict[int, int] = defaultdict(int)
    for queue, people in by_queue.items():
        for person in people if queue in busy else ():
            shared[person] += 1
    hours = {queue.pk: open_minutes(queue.calendar, now) for queue in Queue.objects.all()}
    return {
        queue: Supply(
            sum(person in at_work for person in people - set(away)),
            sum(
                (AT_WORK if person in at_work else ON_CALL) * hours[queue] / max(1, shared[person])
                for person in people - set(away)
            ),
        )
        for queue, people in by_queue.items()
    }


def present(now: datetime) -> set[int]:
    """Who is at work: seen on a card or an inbox, or deciding, within the last quarter of an hour."""
    return set(Sitting.objects.filter(seen_at__gt=now - measures.PAUSE).values_list("pk", flat=True))


def is_attended(queue: Queue, now: datetime | None = None) -> bool:
    """Whether anybody who may decide in a queue is present now."""
    here = present(now or timezone.now()) - set(delegation.away_now())
    return any(permissions.can(user, "decide_gate", queue) for user in User.objects.filter(pk__in=here, is_active=True))


def open_minutes(calendar: Mapping[str, object], now: datetime) -> float:
    """Minutes of business hours until the horizon, in steps of a quarter of an hour."""
    if not calendar:
        return HORIZON.total_seconds() / 60
    steps = int(HORIZON / _STEP)
    moments = (now + _STEP * step for step in range(steps))
    # A moment is in business hours where one second of working time takes one second.
    open_ones = sum(calendars.after(calendar, at, 1.0) - at <= timedelta(seconds=1) for at in moments)
    return open_ones * _STEP.total_seconds() / 60


def handling_times() -> dict[int, float]:
    """The median active seconds of a decision, by queue, where enough were measured."""
    measured = Handling.objects.filter(decided_at__isnull=False, active_s__gt=0, is_check=False)
    found: dict[int, float] = {}
    for queue in Queue.objects.values_list("pk", flat=True):
        taken = list(
            measured.filter(queue=queue).order_by("-decided_at").values_list("active_s", flat=True)[:_LOOKED_AT]
        )
        if len(taken) >= FEWEST:
            found[queue] = float(median(taken))
    return found


def bend(cares: Mapping[int, Care]) -> None:
    """Hold workflows back whose queues are asked for more than people have, and let go of those that are not."""
    asked: dict[int, dict[int, int]] = defaultdict(dict)
    open_ones = Gate.objects.filter(status=GateStatus.OPEN).order_by()
    for workflow, queue, count in open_ones.values_list("workflow", "queue").annotate(n=Count("pk")):
        asked[workflow][queue] = count
    held = set(StartPace.objects.filter(most_running__isnull=False).values_list("workflow", flat=True))
    for workflow in Workflow.objects.filter(pk__in={*asked, *held}).order_by("pk"):
        _bend(workflow, asked.get(workflow.pk, {}), cares)


def _bend(workflow: Workflow, asked: Mapping[int, int], cares: Mapping[int, Care]) -> None:
    worst = max((cares[queue] for queue in asked), key=_load, default=None)
    if worst is not None and _load(worst) > 1 and worst.demand_minutes >= LEAST_DEMAND:
        all_open = worst.demand_minutes * 60 / worst.handling_s
        part = asked[worst.queue_id] / all_open if all_open else 1.0
        most = int(worst.minutes * 60 / worst.handling_s * part)
        hours = int(HORIZON.total_seconds() // 3600)
        reason = (
            f"{worst.queue.title} is asked for {worst.demand_minutes:.0f} minutes, and its people have "
            f"{worst.minutes:.0f} in the next {hours} hours."
        )
        pacing.pace(workflow, most, reason=reason)
    elif worst is None or _load(worst) < LET_GO:
        pacing.unpace(workflow, reason="People can decide what it asks.")


def _load(care: Care) -> float:
    if not care.demand_minutes:
        return 0.0
    return care.demand_minutes / care.minutes if care.minutes else float("inf")


@transaction.atomic
def _note(queue: Queue, supply: Supply, seconds: float, waiting: int, now: datetime) -> Care:
    care, _ = Care.objects.get_or_create(queue=queue)
    is_attended = supply.present > 0
    turned = care.measured_at is None or care.is_attended != is_attended
    if turned and (care.measured_at is not None or (waiting and not is_attended)):
        kind = "oversight.attended" if is_attended else "oversight.unattended"
        facts: dict[str, Json] = {"queue": queue.name, "waiting": waiting}
        events.append(kind, actor="engine", data=facts)
    care.present, care.minutes, care.handling_s = supply.present, round(supply.minutes, 1), seconds
    care.demand_minutes, care.is_attended, care.measured_at = waiting * seconds / 60, is_attended, now
    care.turned_at = now if turned else care.turned_at
    care.save()
    return care


def standing(user: User) -> list[Care]:
    """How the queues stand that this person may see, the worst first; what was measured in the last ten minutes."""
    seen = Queue.objects.all() if permissions.can(user, "see_oversight") else permissions.visible_queues(user)
    fresh = Care.objects.filter(queue__in=seen, measured_at__gt=timezone.now() - timedelta(minutes=10))
    return sorted(fresh.select_related("queue"), key=_load, reverse=True)


def unattended(user: User) -> list[Care]:
    """Queues in safe mode of which something waits: what the floor says."""
    return [care for care in standing(user) if not care.is_attended and care.demand_minutes]
