"""Robust statistics of a series of readings: outliers, stuck sensors, drift and gaps. Pure; standard library only.

Outliers are readings whose modified z-score 0.6745·(x − median)/MAD is beyond 3.5 (Iglewicz and Hoaglin 1993, How to
Detect and Handle Outliers); half of the readings may be wrong without moving median and MAD. Where MAD is 0, 1.2533
times the mean absolute deviation takes its place, as they advise. Drift is Theil and Sen's median slope, and is told
only if Kendall's test rejects chance at 0.001 and the window moves by more than three robust deviations: readings
that follow each other are alike, which makes Kendall's test alone too eager.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from statistics import NormalDist, fmean, median
from typing import Literal

type Kind = Literal["outlier", "stuck", "drift", "gap", "limit"]

OUTLIER = 3.5
STUCK = 12  # identical readings in a row
SEASON_DAYS = 7  # from here on a sub-daily series has a normal value for each hour of the day
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a sensor."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Found:
    """Something wrong between two readings, and how far: z-score, count, slope a day or hours."""

    kind: Kind
    first: datetime
    last: datetime
    size: float
    text: str


def residuals(readings: Sequence[Reading], baseline: Sequence[Reading]) -> list[float]:
    """Each reading less what is normal then by `baseline`: of its hour if it covers a week, else of all."""
    normal = median(one.value for one in baseline)
    by_hour = _hourly(baseline) if _is_hourly(readings) else {}
    return [one.value - by_hour.get(one.at.hour, normal) for one in readings]


def scale(values: Sequence[float]) -> float:
    """A robust standard deviation: MAD/0.6745, or 1.2533 times the mean absolute deviation if MAD is 0."""
    middle = median(values)
    spread = median(abs(value - middle) for value in values)
    return spread / 0.6745 if spread else 1.2533141 * fmean(abs(value - middle) for value in values)


def scores(readings: Sequence[Reading], baseline: Sequence[Reading]) -> list[float]:
    """The modified z-score of each reading against `baseline`; 0 where nothing ever varies."""
    known = residuals(baseline, baseline)
    spread, middle = scale(known), median(known)
    return [(rest - middle) / spread if spread else 0.0 for rest in residuals(readings, baseline)]


def outliers(
    readings: Sequence[Reading], baseline: Sequence[Reading], accuracy: float = 0.0
) -> list[tuple[Reading, float]]:
    """The readings whose score is beyond 3.5, with it; none that the sensor is not accurate enough to tell apart."""
    rated = zip(readings, scores(readings, baseline), residuals(readings, baseline), strict=True)
    return [(reading, score) for reading, score, rest in rated if abs(score) > OUTLIER and abs(rest) > accuracy]


def agreement(readings: Sequence[Reading], accuracy: float = 0.0) -> float:
    """How much of the verdict stands if only every other reading is taken for normal, 0 to 1.

    Of the outliers, the share that both halves of the window, as baselines, call so too; without outliers, the share of
    all readings that neither half calls one.
    """
    whole = {one.at for one, _ in outliers(readings, readings, accuracy)}
    first, second = ({one.at for one, _ in outliers(readings, readings[at::2], accuracy)} for at in (0, 1))
    return len(whole & first & second) / len(whole) if whole else 1 - len(first | second) / len(readings)


def stuck(readings: Sequence[Reading]) -> list[list[Reading]]:
    """Runs of at least STUCK identical values."""
    runs = [list(run) for _, run in groupby(readings, key=lambda one: one.value)]
    return [run for run in runs if len(run) >= STUCK]


def gaps(readings: Sequence[Reading]) -> list[tuple[Reading, Reading]]:
    """Neighbours that are more than three usual intervals apart."""
    steps = [(after.at - before.at).total_seconds() for before, after in pairwise(readings)]
    usual = median(steps)
    return [pair for pair, step in zip(pairwise(readings), steps, strict=True) if step > 3 * usual]


def slope(values: Sequence[float], times: Sequence[float]) -> float:
    """Theil and Sen's median of the slopes of all pairs."""
    pairs = [
        (values[j] - values[i]) / (times[j] - times[i])
        for i in range(len(values)) for j in range(i + 1, len(values)) if times[j] != times[i]
    ]  # fmt: skip
    return median(pairs) if pairs else 0.0


def kendall_p(values: Sequence[float]) -> float:
    """The two-sided chance that values without a trend look this ordered (Mann and Kendall, normal, ties counted)."""
    n = len(values)
    total = sum(_sign(values[j] - values[i]) for i in range(n) for j in range(i + 1, n))
    tied = sum(t * (t - 1) * (2 * t + 5) for t in (len(list(run)) for _, run in groupby(sorted(values))))
    variance = (n * (n - 1) * (2 * n + 5) - tied) / 18
    if not variance:
        return 1.0
    return 2 * (1 - _NORMAL.cdf(max(0.0, abs(total) - 1) / math.sqrt(variance)))


def drift(readings: Sequence[Reading], accuracy: float = 0.0) -> float | None:
    """How much the readings move in a day, or None where that may be chance, or is small beside scatter or accuracy."""
    rest = residuals(readings, readings)
    days = [(one.at - readings[0].at).total_seconds() / 86400 for one in readings]
    per_day = slope(rest, days)
    level = [value - per_day * day for value, day in zip(rest, days, strict=True)]
    moved = abs(per_day) * days[-1]
    is_large = moved > max(3 * scale(level), accuracy)
    return per_day if is_large and kendall_p(rest) < 0.001 else None


def _is_hourly(readings: Sequence[Reading]) -> bool:
    covered = (readings[-1].at - readings[0].at).total_seconds()
    return covered >= SEASON_DAYS * 86400 - 7200 and covered / (len(readings) - 1) <= 7200


def _hourly(readings: Sequence[Reading]) -> dict[int, float]:
    ordered = sorted(readings, key=lambda one: one.at.hour)
    return {hour: median(one.value for one in of) for hour, of in groupby(ordered, key=lambda one: one.at.hour)}


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
