"""When a notice may leave: quiet hours and digests, by the clock of the person. Pure; hours are local, days are ISO."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

SATURDAY: Final = 6
_LOOKS: Final = 5  # a weekend and the nights around it are left behind in fewer steps


@dataclass(frozen=True, slots=True)
class Hours:
    """A person's quiet hours. From `starts` to `ends`, over midnight if `starts` is later."""

    zone: str
    starts: time = time(22)
    ends: time = time(7)
    weekends: bool = False
    critical_passes: bool = True
    is_on: bool = False
    digest_at: time = time(8)


def due_at(now: datetime, *, pace: str, risk: str, hours: Hours) -> datetime:
    """The first moment from `now` (aware) at which a notice of this risk may leave at this pace.

    The gravest are never kept for a digest, and pass quiet hours unless the person said otherwise.
    """
    is_grave = risk == "critical"
    if is_grave and (hours.critical_passes or not hours.is_on):
        return now
    local = now.astimezone(ZoneInfo(hours.zone))
    due = local if is_grave else _next_slot(local, pace, hours.digest_at)
    return (_after_quiet(due, hours) if hours.is_on else due).astimezone(now.tzinfo)


def _next_slot(local: datetime, pace: str, digest_at: time) -> datetime:
    if pace == "hourly":
        return local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if pace == "daily":
        today = _at(local, digest_at)
        return today if today > local else _at(local + timedelta(days=1), digest_at)
    return local


def _after_quiet(moment: datetime, hours: Hours) -> datetime:
    for _ in range(_LOOKS):
        end = _end_of_quiet(moment, hours)
        if end is None:
            return moment
        moment = end
    return moment


def _end_of_quiet(moment: datetime, hours: Hours) -> datetime | None:
    """When the quiet that `moment` falls in ends; None if it falls in none."""
    if hours.weekends and moment.isoweekday() >= SATURDAY:
        return _at(moment + timedelta(days=8 - moment.isoweekday()), time(0))
    clock = moment.time()
    if hours.starts <= hours.ends:
        return _at(moment, hours.ends) if hours.starts <= clock < hours.ends else None
    if clock >= hours.starts:
        return _at(moment + timedelta(days=1), hours.ends)
    return _at(moment, hours.ends) if clock < hours.ends else None


def _at(day: datetime, clock: time) -> datetime:
    return day.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0, fold=0)
