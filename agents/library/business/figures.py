"""Figures of a monthly series: growth, fall, scatter, and how sure a direction is. Pure; standard library only."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, stdev

Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Agreement:
    """In how many of `n` months the direction held, and the lower bound of what share of months that speaks for."""

    k: int
    n: int

    @property
    def confidence(self) -> float:
        """Wilson's lower bound (1927) of k/n at 95 %: 15 of 20 months make 0.53, 60 of 80 make 0.64."""
        if not self.n:
            return 0.0
        share, z2 = self.k / self.n, Z * Z / self.n
        half = Z * math.sqrt(share * (1 - share) / self.n + z2 / (4 * self.n))
        return max(0.0, round((share + z2 / 2 - half) / (1 + z2), 4))


def changes(values: Sequence[float]) -> list[float]:
    """Each value against the one before, less 1."""
    return [after / before - 1 for before, after in pairwise(values)]


def growth(values: Sequence[float]) -> float:
    """The last value against the first, less 1."""
    return values[-1] / values[0] - 1


def worst_fall(values: Sequence[float]) -> float:
    """The largest fall from a height that came before, as a share of it: 0 where it never falls."""
    top, worst = values[0], 0.0
    for value in values:
        top = max(top, value)
        worst = max(worst, 1 - value / top)
    return worst


def scatter(values: Sequence[float]) -> float:
    """The standard deviation of monthly log changes, for a year."""
    return stdev(math.log(1 + change) for change in changes(values)) * math.sqrt(12)


def middle_path(peers: Mapping[str, Sequence[float]]) -> list[float]:
    """The median of the peers' changes, month by month."""
    return [median(month) for month in zip(*(changes(values) for values in peers.values()), strict=True)]


def beats(values: Sequence[float], others: Sequence[float]) -> Agreement:
    """In how many months a change of `values` was above the `others`' change of that month."""
    own = changes(values)
    return Agreement(sum(mine > theirs for mine, theirs in zip(own, others, strict=True)), len(own))
