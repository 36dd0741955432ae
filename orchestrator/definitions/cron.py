"""When a schedule is due: a cron expression in a time zone, as Debian's cron reads it. Pure.

What names an hour and a minute happens once on every day that matches: in spring right after the hour that is left out,
in autumn the first time. What begins with `*` in minute or hour goes by real time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

FIELDS: Final = 5
LONGEST: Final = 100  # characters of an expression
COUNTED: Final = 10_000  # missed slots that are counted; a week of every minute


class CronInvalid(ValueError):
    """An expression or a zone that no time can be worked out from."""


@dataclass(frozen=True, slots=True)
class Due:
    """A slot that is due now, how many before it were passed over, and the slot that follows."""

    slot: datetime
    missed: int
    following: datetime | None


@dataclass(frozen=True, slots=True)
class Cron:
    """An expression and its zone, both known to be good."""

    expression: str
    zone: str

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The slots after a moment, in UTC. In the hour that autumn repeats the library begins too early."""
        for slot in CronSim(self.expression, moment.astimezone(ZoneInfo(self.zone))):
            found = slot.astimezone(UTC)
            if found > moment:
                yield found

    def due(self, first: datetime, now: datetime) -> Due:
        """Of the slots from `first` on that are due by now, the newest."""
        slots = [first]
        for slot in islice(self.after(first), COUNTED):
            if slot > now:
                return Due(slots[-1], len(slots) - 1, slot)
            slots.append(slot)
        return Due(slots[-1], len(slots) - 1, next(self.after(now), None))


def read(expression: str, zone: str) -> Cron:
    """The schedule that two texts mean. Raises CronInvalid with what is wrong, to follow "The schedule's"."""
    if zone not in _zones():
        raise CronInvalid(f"time zone {zone!r:.60} is not known; write one such as Europe/Berlin or UTC")
    words = expression.split()
    if len(words) != FIELDS or len(expression) > LONGEST:
        raise CronInvalid(
            f"cron expression {expression!r:.60} must have five fields: minute hour day-of-month month day-of-week"
        )
    cron = Cron(" ".join(words), zone)
    try:
        next(cron.after(datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as problem:
        what = str(problem).removeprefix("Bad ")
        raise CronInvalid(f"cron expression {expression!r:.60} cannot be used: its {what} is not valid") from problem
    except StopIteration as problem:
        raise CronInvalid(f"cron expression {expression!r:.60} cannot be used: it is never due") from problem
    return cron


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
