"""What a month will come to, how far that is from what was foreseen, and why. Pure.

* **Foreseen** for a month: the daily mean of the 28 days before it, times its days.
* **Expected** of a month under way: what is spent, and for the days left the mean of the last 14 whole days, with the
  95 % interval of a sum of so many days that vary as those did.
* **Drivers**: the difference of a workflow's money between two spans is (more runs) x (what one cost before) plus
  (what one costs more) x (runs now). The two parts of all workflows add up to the whole difference, exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Final

LOOKED_BACK: Final = 28
TREND_DAYS: Final = 14
FEWEST_DAYS: Final = 7
_Z: Final = 1.96


@dataclass(frozen=True, slots=True)
class Expected:
    """A month's money. `low` and `high` are None where fewer than seven whole days speak."""

    spent: float
    total: float | None
    low: float | None
    high: float | None
    days: int  # whole days that speak


@dataclass(frozen=True, slots=True)
class Driver:
    """Why one workflow's money differs from what was foreseen."""

    workflow: str
    before: float
    now: float
    by_volume: float
    by_price: float

    @property
    def difference(self) -> float:
        """Both together."""
        return self.by_volume + self.by_price


def expected(spent: float, last_days: Sequence[float], days_left: float) -> Expected:
    """What a month under way comes to; `last_days` are whole days, the oldest first."""
    days = list(last_days)[-TREND_DAYS:]
    if len(days) < FEWEST_DAYS:
        return Expected(spent, None, None, None, len(days))
    more = fmean(days) * days_left
    half = _Z * stdev(days) * sqrt(days_left + days_left**2 / len(days))
    return Expected(spent, spent + more, max(spent, spent + more - half), spent + more + half, len(days))


def drivers(before: Mapping[str, tuple[int, float]], now: Mapping[str, tuple[int, float]]) -> list[Driver]:
    """By workflow, from (runs, money) in two spans; the largest difference first.

    A workflow without runs in the first span has no price before: all of its money is volume.
    """
    found = []
    for name in before.keys() | now.keys():
        runs0, money0 = before.get(name, (0, 0.0))
        runs1, money1 = now.get(name, (0, 0.0))
        price0 = money0 / runs0 if runs0 else (money1 / runs1 if runs1 else 0.0)
        by_volume = (runs1 - runs0) * price0 if runs0 or runs1 else 0.0
        found.append(Driver(name, money0, money1, by_volume, money1 - money0 - by_volume))
    return sorted(found, key=lambda one: (-abs(one.difference), one.workflow))


def scaled(span: Mapping[str, tuple[int, float]], factor: float) -> dict[str, tuple[int, float]]:
    """Runs and money of a span as of one so many times as long."""
    return {name: (round(runs * factor), money * factor) for name, (runs, money) in span.items()}
