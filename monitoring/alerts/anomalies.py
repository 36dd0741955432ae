"""What is usual, and how far something is from it: medians by hour of the day, and a spread that outliers do not move.

Pure. A value's distance is counted in robust standard deviations (1.4826 times the median absolute deviation) from
the median of the same hour on other days. The spread is that of the hours around it, each against its own median: a
daily rhythm is no deviation, and neither do quiet nights make a busy noon look wild.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from statistics import median
from typing import Final

DAYS: Final = 28  # looked back
LEAST_DAYS: Final = 5  # of one hour: with fewer, nothing is called unusual
AROUND: Final = 3  # hours on either side whose spread counts
ROBUST: Final = 1.4826  # a normal distribution's standard deviation over its median absolute deviation
LEAST_SPREAD: Final = 0.05  # of what is usual: less than this is no spread but a constant

type Hours = Mapping[datetime, float]  # the start of each whole hour, and its value


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual at one hour of the day. `days` is how many of them say so."""

    level: float
    spread: float
    days: int

    @property
    def is_known(self) -> bool:
        """Whether there is enough to say what is usual."""
        return self.days >= LEAST_DAYS

    def sigma(self, value: float) -> float:
        """How far a value is from it; none where too little is known."""
        return (value - self.level) / self.spread if self.is_known else 0.0


def usual_at(hour: int, past: Hours) -> Usual:
    """What is usual at an hour of the day (0-23, as `past` counts hours), by what was."""
    by_hour: dict[int, list[float]] = {}
    for at, value in past.items():
        by_hour.setdefault(at.hour, []).append(value)
    own = by_hour.get(hour, [])
    if not own:
        return Usual(0.0, 1.0, 0)
    level = median(own)
    near = [by_hour.get((hour + step) % 24, []) for step in range(-AROUND, AROUND + 1)]
    return Usual(level, max(spread_of(near), LEAST_SPREAD * abs(level), least_of(level)), len(own))


def spread_of(groups: Sequence[Sequence[float]]) -> float:
    """The robust standard deviation of values around the median of their own group."""
    distances = [
        # A median of few values lies closer to them than what is usual would.
        abs(value - median(group)) * sqrt(len(group) / (len(group) - 1))
        for group in groups
        if len(group) > 1
        for value in group
    ]
    return ROBUST * median(distances) if distances else 0.0


def least_of(level: float) -> float:
    """What a count of that size scatters by itself: of three a day, one more is no news."""
    return sqrt(max(abs(level), 1.0))
