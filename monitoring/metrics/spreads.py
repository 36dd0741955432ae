"""What counts in buckets say: quantiles, shares within a bound, control limits. Pure; says nothing where too few speak.

How many are enough (docs/metrics.md): a share from 20 on, a median from 5 on, the 95th percentile from 20 on (below,
it is the largest of all), the 99th from 100 on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt
from typing import Final

from agents.lifecycle.histogram import bound_of, quantile

FEWEST: Final = 20
FEWEST_FOR: Final = ((0.5, 5), (0.95, 20), (0.99, 100))
SIGMAS: Final = 3


@dataclass(frozen=True, slots=True)
class Spread:
    """Times in milliseconds as counts by bucket, and their sum."""

    counts: Mapping[int, int] = field(default_factory=dict)
    total: float = 0.0

    @property
    def n(self) -> int:
        """How many times there are."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        """The mean; None of nothing."""
        return self.total / self.n if self.n else None

    @property
    def p50(self) -> float | None:
        """The median, from 5 times on."""
        return self.at(0.5)

    @property
    def p95(self) -> float | None:
        """The 95th percentile, from 20 times on."""
        return self.at(0.95)

    @property
    def p99(self) -> float | None:
        """The 99th percentile, from 100 times on."""
        return self.at(0.99)

    def at(self, share: float) -> float | None:
        """A quantile: never below the true one, at most 19 % above it; None where too few speak."""
        fewest = next((n for up_to, n in FEWEST_FOR if share <= up_to), FEWEST_FOR[-1][1])
        return quantile(self.counts, share) if self.n >= fewest else None

    def within(self, ms: float) -> int:
        """How many surely took no longer: those whose whole bucket lies within."""
        return sum(n for bucket, n in self.counts.items() if bound_of(bucket) <= ms * (1 + 1e-9))

    def beyond(self, ms: float) -> int:
        """How many surely took longer: those whose whole bucket lies beyond."""
        return sum(n for bucket, n in self.counts.items() if bucket > 0 and bound_of(bucket - 1) >= ms)

    def __add__(self, other: "Spread") -> "Spread":
        both = {b: self.counts.get(b, 0) + other.counts.get(b, 0) for b in self.counts.keys() | other.counts.keys()}
        return Spread(both, self.total + other.total)


@dataclass(frozen=True, slots=True)
class Limits:
    """Shewhart's: what lies outside is unlikely to be chance."""

    middle: float
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value lies within."""
        return self.low <= value <= self.high


def share_limits(parts: Sequence[tuple[int, int]], *, n: int) -> Limits | None:
    """The limits of a share of `n`, by all (part, whole) together (a p-chart); None where too few speak."""
    whole = sum(one for _, one in parts)
    if whole < FEWEST or n <= 0:
        return None
    middle = sum(part for part, _ in parts) / whole
    half = SIGMAS * sqrt(middle * (1 - middle) / n)
    return Limits(middle, max(0.0, middle - half), min(1.0, middle + half))


def value_limits(values: Sequence[float]) -> Limits | None:
    """The limits of single values by their moving range (an individuals chart); None below ten values."""
    if len(values) < 10:
        return None
    middle = sum(values) / len(values)
    ranges = [abs(b - a) for a, b in pairwise(values)]
    half = SIGMAS * (sum(ranges) / len(ranges)) / 1.128
    return Limits(middle, middle - half, middle + half)


def together(spreads: Iterable[Spread]) -> Spread:
    """All of them as one."""
    found = Spread()
    for one in spreads:
        found += one
    return found
