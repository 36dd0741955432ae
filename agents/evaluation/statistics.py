"""How sure a share or a difference is: Wilson's interval, the sign test, the paired bootstrap. No Django."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import Any, Final

RESAMPLES: Final = 2_000
SEED: Final = 20
LEVEL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Interval:
    """95 %: the bounds within which the true value lies in 95 of 100 such samples."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Paired:
    """Two versions on the same cases: where only the new one passed, only the old one, and both or neither."""

    cases: int
    won: int
    lost: int
    tied: int
    difference: float  # of the shares, new minus old
    interval: Interval
    p: float  # of the sign test, two-sided

    @property
    def verdict(self) -> str:
        """In a word: better, worse, or no difference shown."""
        if self.p >= LEVEL or self.won == self.lost:
            return "no difference shown"
        return "better" if self.won > self.lost else "worse"


def wilson(right: int, count: int) -> Interval:
    """The interval of a share (Wilson 1927), which stays within 0 and 1 and is honest for small samples."""
    if count == 0:
        return Interval(0.0, 1.0)
    z, share = 1.959964, right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return Interval(round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4))


def sign_test(won: int, lost: int) -> float:
    """The chance of so uneven a split or worse if both were equal: exact binomial, two-sided; ties tell nothing."""
    count = won + lost
    if count == 0:
        return 1.0
    tail = sum(comb(count, at) for at in range(min(won, lost) + 1))
    p: float = 2 * tail / 2**count
    return min(1.0, p)


def paired(old: Sequence[bool], new: Sequence[bool]) -> Paired:
    """Compare pass marks of the same cases, in the same order."""
    won = sum(after and not before for before, after in zip(old, new, strict=True))
    lost = sum(before and not after for before, after in zip(old, new, strict=True))
    count = len(old)
    difference = (won - lost) / count if count else 0.0
    return Paired(
        count, won, lost, count - won - lost, round(difference, 4), bootstrap(old, new), round(sign_test(won, lost), 6)
    )


def bootstrap(old: Sequence[Any], new: Sequence[Any]) -> Interval:
    """The interval of the mean difference: percentiles over resampled pairs (Efron & Tibshirani 1993)."""
    import numpy as np

    differences = np.asarray(new, dtype=float) - np.asarray(old, dtype=float)
    if not len(differences):
        return Interval(0.0, 0.0)
    draw = np.random.default_rng(SEED)
    means = [differences[draw.integers(0, len(differences), len(differences))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(round(float(low), 4), round(float(high), 4))
