"""Schedules: when a workflow starts by the clock; made, changed, paused, resumed, removed and run at once by people."""

import hashlib
import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext

from agents.types import Json
from orchestrator import db, events, orders, services
from orchestrator.definitions import cron
from orchestrator.definitions.cron import Cron, CronInvalid
from orchestrator.definitions.fields import NAME
from orchestrator.engine import scheduling
from orchestrator.errors import ScheduleExists, ScheduleNotFound, ScheduleRefused
from orchestrator.groups import may_manage
from orchestrator.models import Run, Schedule, ScheduledStart, Workflow

__all__ = ["may_manage"]  # who may say when a workflow starts by itself: for signals and schedules alike

SHOWN: Final = 5  # slots that a preview shows
LATEST: Final = 5  # past slots that a page shows
PAUSED: Final = "the schedule was paused"
MOST: Final = 200  # schedules of one list
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a schedule is to start, when, and what to do when it cannot do so as it should."""

    cron: str
    zone: str
    input: Mapping[str, Any]
    overlap: str = Schedule.Overlap.SKIP
    missed: str = Schedule.Missed.RUN


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule, its next slots, and what became of its latest ones."""

    schedule: Schedule
    next: list[datetime]
    latest: list[ScheduledStart]


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A start that lies ahead, if nobody changes anything."""

    at: datetime
    schedule: Schedule


def preview(expression: str, zone: str) -> list[datetime]:
    """The next slots. Raises ScheduleRefused in one sentence."""
    return list(islice(_read(expression, zone).after(db.clock()), SHOWN))


def standings(schedules: QuerySet[Schedule]) -> list[Standing]:
    """How these schedules stand, by name."""
    return [_standing(found) for found in schedules.select_related(*_NAMED).order_by("name")[:MOST]]


def upcoming(schedules: QuerySet[Schedule], *, limit: int = 50) -> list[Upcoming]:
    """The next starts of all these schedules, the nearest first."""
    live = schedules.filter(enabled=True, next_due__isnull=False).select_related(*_NAMED).order_by("next_due")[:MOST]
    return list(islice(heapq.merge(*(_ahead(found, limit) for found in live), key=lambda start: start.at), limit))


def get(name: str) -> Schedule:
    """The schedule by its name. Raises ScheduleNotFound."""
    found = Schedule.objects.select_related(*_NAMED).filter(name=name).first()
    if found is None:
        raise ScheduleNotFound(name=name)
    return found


@transaction.atomic
def create(*, name: str, workflow: Workflow, wanted: Wanted, by: User, reason: str) -> Schedule:
    """Let a workflow start at the times of a cron expression, in the name of `by`.

    Raises ScheduleRefused, ScheduleExists, ReasonMissing, and what `orders` refuses its input with.
    """
    said = services.reason_given(reason, "make a schedule")
    if not NAME.fullmatch(name) or len(name) > 100:
        raise ScheduleRefused(problem=gettext("name must be lower-case letters a-z, digits and -, a letter first"))
    columns = _columns(workflow, wanted) | {"owner": by, "changed_by": by, "reason": said}
    try:
        with transaction.atomic():
            made = Schedule.objects.create(name=name, workflow=workflow, next_due=_next(columns), **columns)
    except IntegrityError as problem:
        raise ScheduleExists(name=name) from problem
    _tell("schedule.created", made, _facts(made), by=by, reason=said)
    return made


@transaction.atomic
def change(*, name: str, wanted: Wanted, by: User, reason: str) -> Schedule:
    """Give a schedule other times, another input or other rules; from now on it starts in the name of `by`.

    Raises what `create` raises, and ScheduleNotFound.
    """
    schedule = _locked(name)
    said = services.reason_given(reason, "change a schedule")
    before, given = _facts(schedule), schedule.input
    columns = _columns(schedule.workflow, wanted)
    moved = (schedule.cron, schedule.zone) != (columns["cron"], columns["zone"])
    if moved and schedule.enabled:
        columns["next_due"] = _next(columns)
    _save(schedule, by=by, reason=said, owner=by, **columns)
    told = {**_facts(schedule), "before": before, "input_changed": given != schedule.input}
    _tell("schedule.changed", schedule, told, by=by, reason=said)
    return schedule


@transaction.atomic
def set_enabled(*, name: str, enabled: bool, by: User, reason: str) -> Schedule:
    """Pause a schedule, or let it go on from now: slots of the pause are not made up for.

    Raises ScheduleNotFound, ReasonMissing, and ScheduleRefused when it is so already.
    """
    schedule = _locked(name)
    said = services.reason_given(reason, "resume a schedule" if enabled else "pause a schedule")
    if schedule.enabled == enabled:
        raise ScheduleRefused(
            problem=gettext("state is %(value)s already; nothing was changed")
            % {"value": "running" if enabled else "paused"}
        )
    if schedule.queued is not None:
        scheduling.tell(schedule, schedule.queued, ScheduledStart.Outcome.SKIPPED, {}, problem=PAUSED)
    due = next(Cron(schedule.cron, schedule.zone).after(db.clock()), None) if enabled else None
    _save(schedule, by=by, reason=said, enabled=enabled, next_due=due, queued=None)
    _tell("schedule.resumed" if enabled else "schedule.paused", schedule, {}, by=by, reason=said)
    return schedule


@transaction.atomic
def remove(*, name: str, by: User, reason: str) -> None:
    """End a schedule for good; runs that it started go on. Raises ScheduleNotFound, ReasonMissing."""
    schedule = _locked(name)
    said = services.reason_given(reason, "remove a schedule")
    _tell("schedule.removed", schedule, _facts(schedule), by=by, reason=said)
    schedule.delete()


@transaction.atomic
def run_now(*, name: str, by: User, reason: str, key: str) -> Run:
    """Start what the schedule starts, now, in the name of `by`; paused or busy does not matter. A key starts one run.

    Raises ScheduleNotFound, ReasonMissing, and what `orders` refuses.
    """
    schedule = _locked(name)
    said = services.reason_given(reason, "run a schedule")
    if not _KEY.fullmatch(key):
        raise ScheduleRefused(problem=gettext("idempotency key must have 1 to 200 printable characters"))
    now = db.clock()
    run, is_new = scheduling.begin(
        schedule, now, key=f"now:{hashlib.sha256(key.encode()).hexdigest()}", user=by.pk, actor=services.actor_of(by)
    )
    if is_new:
        ScheduledStart.objects.create(schedule=schedule, slot=now, outcome="started", run_id=run, by_hand=True)
        _tell("schedule.fired", schedule, {"by_hand": True}, by=by, reason=said, run=run)
    return Run.objects.get(pk=run)


_NAMED: Final = ("workflow", "owner", "changed_by")


def _standing(schedule: Schedule) -> Standing:
    ahead = [start.at for start in _ahead(schedule, SHOWN)]
    return Standing(schedule, ahead, list(schedule.starts.select_related("run").order_by("-slot")[:LATEST]))


def _ahead(schedule: Schedule, limit: int) -> Iterable[Upcoming]:
    if schedule.next_due is None:
        return []
    rest = islice(Cron(schedule.cron, schedule.zone).after(schedule.next_due), limit - 1)
    return [Upcoming(schedule.next_due, schedule), *(Upcoming(slot, schedule) for slot in rest)]


def _read(expression: str, zone: str) -> Cron:
    try:
        return cron.read(expression, zone)
    except CronInvalid as problem:
        raise ScheduleRefused(problem=str(problem)) from problem


def _columns(workflow: Workflow, wanted: Wanted) -> dict[str, Any]:
    found = _read(wanted.cron, wanted.zone)
    for name, value, choices in (
        ("overlap", wanted.overlap, Schedule.Overlap.values),
        ("missed", wanted.missed, Schedule.Missed.values),
    ):
        if value not in choices:
            raise ScheduleRefused(
                problem=gettext("%(name)s must be one of %(value)s") % {"name": name, "value": ", ".join(choices)}
            )
    order = orders.draw_up(
        orders.find_workflow(workflow.name), wanted.input, user=None, title="", key=None, correlation="",
        priority=None, actor="engine",
    )  # fmt: skip
    given = orders.input_of(order)
    return {
        "cron": found.expression, "zone": found.zone, "input": given, "overlap": wanted.overlap,
        "missed": wanted.missed,
    }  # fmt: skip


def _next(columns: Mapping[str, Any]) -> datetime | None:
    return next(Cron(columns["cron"], columns["zone"]).after(db.clock()), None)


def _locked(name: str) -> Schedule:
    """Waits for a slot that is being fired, and is waited for by nobody: the timekeeper passes it over."""
    found = Schedule.objects.select_for_update(of=("self",)).select_related("workflow").filter(name=name).first()
    if found is None:
        raise ScheduleNotFound(name=name)
    return found


def _save(schedule: Schedule, *, by: User, reason: str, **columns: Any) -> None:
    for name, value in columns.items():
        setattr(schedule, name, value)
    schedule.changed_by, schedule.changed_at, schedule.reason = by, Now(), reason
    schedule.save(update_fields=[*columns, "changed_by", "changed_at", "reason"])
    schedule.refresh_from_db(fields=["changed_at"])


def _facts(schedule: Schedule) -> dict[str, Json]:
    return {name: getattr(schedule, name) for name in ("cron", "zone", "overlap", "missed")}


def _tell(
    kind: str, schedule: Schedule, facts: Mapping[str, Json], *, by: User, reason: str, run: int | None = None
) -> None:
    data: dict[str, Json] = {"schedule": schedule.name, "workflow": schedule.workflow.name, **facts, "reason": reason}
    events.append(kind, actor=services.actor_of(by), run_id=run, data=data)
