"""Turns of a rotation: whole local days, so that they follow summer time. Pure, for queues and for alerts."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo


class Turning(Protocol):
    """What of a rotation its turns depend on."""

    people: list[int]
    days: int
    hour: int
    zone: str
    starts_on: date


def turn_at(rotation: Turning, moment: datetime) -> tuple[int, datetime, datetime]:
    """The place in the rotation whose turn it is, and from when to when it is that."""
    zone = ZoneInfo(rotation.zone)
    local = moment.astimezone(zone)
    day = local.date() if local.hour >= rotation.hour else local.date() - timedelta(days=1)
    number = (day - rotation.starts_on).days // rotation.days
    first = rotation.starts_on + timedelta(days=number * rotation.days)
    return (
        number % len(rotation.people),
        _handover(rotation, first),
        _handover(rotation, first + timedelta(days=rotation.days)),
    )


def first_there(people: Sequence[int], place: int, there: Collection[int]) -> int | None:
    """Who has the turn at this place: the next one after it, where that person is gone."""
    order = [*people[place:], *people[:place]]
    return next((pk for pk in order if pk in there), None)


def _handover(rotation: Turning, day: date) -> datetime:
    return datetime.combine(day, time(rotation.hour), tzinfo=ZoneInfo(rotation.zone)).astimezone(UTC)
