"""Whether a canary does worse than the current version, on what both did in the same time. No Django.

The rule, looked at every half minute: with at least `LEAST` observations of each, the canary is worse as soon as the
interval of the difference lies wholly on the wrong side of zero, for success share, people's decisions or quality
score; or if its 95th percentile of latency is more than SLOWER times the current one's, with `LEAST_TIMED` calls each.
Intervals are of 99.73 % (z = 3), not 95 %: who looks again and again would otherwise find a difference by chance.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Final

from agents.lifecycle.measuring import Measured
from agents.types import Json

Z: Final = 3.0
LEAST: Final = 10
LEAST_TIMED: Final = 50
SLOWER: Final = 1.5


@dataclass(frozen=True, slots=True)
class Line:
    """One measure of both: how many observations, the difference (canary minus current) and its interval."""

    measure: str  # success, accuracy, score, p95_ms
    current: float
    canary: float
    n_current: int
    n_canary: int
    low: float | None
    high: float | None
    worse: bool

    def as_json(self) -> dict[str, Json]:
        """As kept with the release and said in events."""
        return asdict(self)


def compare(current: Measured, canary: Measured) -> list[Line]:
    """A line for each measure that both have."""
    return [*_shares(current, canary), *_scores(current, canary), *_latency(current, canary)]


def is_worse(lines: list[Line]) -> list[Line]:
    """The lines by which it is to be rolled back."""
    return [line for line in lines if line.worse]


def difference(good: int, count: int, good_before: int, count_before: int) -> tuple[float, float]:
    """The interval of a difference of two shares: Newcombe's hybrid score interval (1998), method 10."""
    after, before = good / count, good_before / count_before
    low, high = _wilson(good, count)
    low_before, high_before = _wilson(good_before, count_before)
    gap = after - before
    return (
        gap - sqrt((after - low) ** 2 + (high_before - before) ** 2),
        gap + sqrt((high - after) ** 2 + (before - low_before) ** 2),
    )


def _wilson(good: int, count: int) -> tuple[float, float]:
    share, square = good / count, Z * Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z * sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _shares(old: Measured, new: Measured) -> Iterator[Line]:
    counted = (
        ("success", old.calls - old.failures, old.calls, new.calls - new.failures, new.calls),
        ("accuracy", old.stood, old.decided, new.stood, new.decided),
    )
    for measure, good_before, before, good, count in counted:
        if before and count:
            low, high = difference(good, count, good_before, before)
            worse = min(before, count) >= LEAST and high < 0
            yield Line(measure, good_before / before, good / count, before, count, low, high, worse)


def _scores(old: Measured, new: Measured) -> Iterator[Line]:
    if old.score is None or new.score is None:
        return
    gap, low, high = new.score - old.score, None, None
    if old.score_spread is not None and new.score_spread is not None:  # of two or more
        half = Z * sqrt(old.score_spread**2 / old.scores + new.score_spread**2 / new.scores)
        low, high = gap - half, gap + half
    worse = min(old.scores, new.scores) >= LEAST and high is not None and high < 0
    yield Line("score", old.score, new.score, old.scores, new.scores, low, high, worse)


def _latency(old: Measured, new: Measured) -> Iterator[Line]:
    if old.p95_ms is not None and new.p95_ms is not None:
        worse = min(old.calls, new.calls) >= LEAST_TIMED and new.p95_ms > SLOWER * old.p95_ms
        yield Line("p95_ms", old.p95_ms, new.p95_ms, old.calls, new.calls, None, None, worse)
