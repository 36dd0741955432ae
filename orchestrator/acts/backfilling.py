"""The act that makes up for slots of a schedule that started nothing: each once, in the name of whoever asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import db, ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, counted, register
from orchestrator.acts.holding import name_of
from orchestrator.acts.refusals import ActImpossible, AnswerInvalid
from orchestrator.definitions.cron import Cron
from orchestrator.engine import scheduling
from orchestrator.models import Schedule, ScheduledStart

MOST: Final = 100  # runs of one backfill
LOOKED_AT: Final = 10_000  # slots of a range
SHOWN: Final = 5  # slots that the preview names
TOO_FAR: Final = gettext_lazy("The range has more than %(most)s slots; choose a shorter one.")


@dataclass(frozen=True, slots=True)
class Missed:
    """A schedule, its slots that start now, and those that its overlap rule leaves out."""

    schedule: Schedule
    starts: tuple[datetime, ...]
    left: tuple[datetime, ...] = ()


class Backfill(Act):
    """Start the runs of past slots that have none. What the overlap rule does not let start stays missed."""

    name = "backfill"
    scopes: ClassVar[tuple[Scope, ...]] = ("workflow",)
    icon = "history"
    title = gettext_lazy("Make up for missed starts")
    action = gettext_lazy("Start the missed runs")
    menu = gettext_lazy("Missed starts…")
    hint = gettext_lazy(
        "Runs start in your name, with the input that the schedule has now; you cannot decide about them."
    )

    def permits(self, user: Person, target: Target) -> bool:
        """As for schedules: `start_run` and `steer_run` on the workflow."""
        return all(ports.rights().can(user, verb, target.row) for verb in ("start_run", "steer_run"))

    def why_not(self, target: Target) -> str:
        """There must be a schedule."""
        return "" if _schedules(target).exists() else _("No schedule starts this workflow.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which schedule, from when to when."""
        names = list(_schedules(target).order_by("name").values_list("name", flat=True))
        words = _("A day such as 2027-01-31 in the schedule's zone, or a moment such as 2027-01-31T12:00Z.")
        moment = {"type": "string", "maxLength": 60, "description": words}
        return {
            "properties": {
                "schedule": {"type": "string", "enum": names, "title": _("Schedule")},
                "from": {**moment, "title": _("From")},
                "to": {**moment, "title": _("To, inclusive")},
            },
            "required": ["schedule", "from", "to"],
        }

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The last day; the schedule, if there is but one."""
        rows = list(_schedules(target).order_by("name")[:2])
        if not rows:
            return {}
        today = db.clock().astimezone(ZoneInfo(rows[0].zone)).date()
        days: dict[str, Json] = {"from": str(today - timedelta(days=1)), "to": str(today)}
        return {**days, "schedule": rows[0].name} if len(rows) == 1 else days

    def lock(self, target: Target) -> Target:
        """The timekeeper passes over a schedule that is locked."""
        list(_schedules(target).select_for_update(of=("self",)).order_by("pk"))
        return target

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Exactly these slots, with the input that the schedule has now."""
        found = _missed(target, answers)
        zone = found.schedule.zone
        named = [f"{slot.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}" for slot in found.starts[:SHOWN]]
        more = len(found.starts) - len(named)
        lines = (
            *counted(len(found.starts), "%(count)s run starts now.", "%(count)s runs start now."),
            *(_("For %(slot)s.") % {"slot": slot} for slot in named),
            *counted(more, "And for %(count)s more slot.", "And for %(count)s more slots."),
        )
        left = counted(
            len(found.left),
            "%(count)s slot stays missed: the schedule lets one run live at a time. Repeat this afterwards.",
            "%(count)s slots stay missed: the schedule lets one run live at a time. Repeat this afterwards.",
        )
        bound: dict[str, Json] = {
            "starts": [slot.isoformat() for slot in found.starts],
            "left": [slot.isoformat() for slot in found.left],
            "input": found.schedule.input,
        }
        return Plan(lines, bound, found, left)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """All of them, or none."""
        found: Missed = act.plan.work
        if act.by is None:
            raise ActImpossible(why=_("Somebody must ask for it: the runs start in their name."))
        runs: list[Json] = [
            scheduling.make_up(found.schedule, slot, user=act.by.pk, actor=act.actor, reason=act.reason)
            for slot in found.starts
        ]
        act.record(
            "schedule.backfilled", schedule=found.schedule.name, workflow=found.schedule.workflow.name,
            started=len(runs), left=len(found.left), **{name: act.answers[name] for name in ("from", "to")},
        )  # fmt: skip
        return {"runs": runs, "left": len(found.left)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(what)s: missed starts are made up for.") % {"what": name_of(target)}


def _schedules(target: Target) -> QuerySet[Schedule]:
    return Schedule.objects.filter(workflow_id=target.ref or 0)


def _missed(target: Target, answers: Mapping[str, Json]) -> Missed:
    """Raises ActImpossible where nothing could start, or too much."""
    schedule = _schedules(target).select_related("workflow").get(name=answers["schedule"])
    slots = _without_run(schedule, *_range(schedule, answers))
    if not slots:
        raise ActImpossible(why=_("No slot in this range was missed; there is nothing to start."))
    if schedule.overlap == Schedule.Overlap.ALLOW:
        if len(slots) > MOST:
            raise ActImpossible(why=TOO_FAR % {"most": MOST})
        return Missed(schedule, tuple(slots))
    if schedule.queued is not None or scheduling.is_busy(schedule):
        raise ActImpossible(
            why=_("A run of this schedule is still alive, and it lets one live at a time; wait for it.")
        )
    return Missed(schedule, tuple(slots[:1]), tuple(slots[1:]))


def _without_run(schedule: Schedule, first: datetime, last: datetime) -> list[datetime]:
    """The slots in this range that started nothing, the oldest first; what is still due is the timekeeper's."""
    slots: list[datetime] = []
    for slot in islice(Cron(schedule.cron, schedule.zone).after(first - timedelta(seconds=1)), LOOKED_AT + 1):
        if slot > last or (schedule.next_due is not None and slot >= schedule.next_due):
            break
        slots.append(slot)
    if len(slots) > LOOKED_AT:
        raise ActImpossible(why=TOO_FAR % {"most": f"{LOOKED_AT:,}"})
    known = schedule.starts.filter(slot__gte=first, slot__lte=last)
    taken = set(known.filter(outcome__in=_TAKEN).values_list("slot", flat=True))
    return [slot for slot in slots if slot not in taken]


_TAKEN: Final = (ScheduledStart.Outcome.STARTED, ScheduledStart.Outcome.QUEUED)


def _range(schedule: Schedule, answers: Mapping[str, Json]) -> tuple[datetime, datetime]:
    """Both ends; the second is never in the future."""
    now = db.clock()
    first = _moment(schedule, str(answers["from"]), _("From"), time.min)
    last = _moment(schedule, str(answers["to"]), _("To"), time.max)
    if first > last:
        raise AnswerInvalid(field=_("From"), problem=_("it must be before the end of the range"))
    if first < now - scheduling.KEPT:
        told = _("what became of slots is known for %(days)s days") % {"days": scheduling.KEPT.days}
        raise AnswerInvalid(field=_("From"), problem=told)
    return first, min(last, now)


def _moment(schedule: Schedule, text: str, field: str, at: time) -> datetime:
    """A moment with its zone, or a day in the schedule's zone."""
    try:
        found: datetime | date | None = parse_date(text.strip()) or parse_datetime(text.strip())
    except ValueError:
        found = None
    if found is not None and not isinstance(found, datetime):
        return datetime.combine(found, at, ZoneInfo(schedule.zone))
    if found is None or found.tzinfo is None:
        raise AnswerInvalid(field=field, problem=_("write a day such as 2027-01-31, or a moment with its zone"))
    return found


register(Backfill())
