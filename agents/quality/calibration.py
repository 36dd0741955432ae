"""Confidence held against what came of it: isotonic or Platt fit, and whether the result may be shown. numpy only.

Isotonic regression by pooling adjacent violators (Ayer et al. 1955; Zadrozny & Elkan 2002); Platt scaling with his
smoothed targets, by Newton steps (Platt 1999; Lin, Lin & Weng 2007). Quality is judged on folds that the fit has not
seen: five folds, expected calibration error over ten equal bins, and the Brier score against always saying the mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

FEWEST: Final = 30  # outcomes below which nothing is shown
FEWEST_OF_EACH: Final = 5  # right ones and wrong ones
WORST_ERROR: Final = 0.1  # expected calibration error above which it is called badly calibrated
LEAST_SKILL: Final = 0.03  # by how much it must beat always saying the mean, as a share of that one's Brier score
ISOTONIC_FROM: Final = (
    200  # outcomes: with fewer, steps follow chance (Niculescu-Mizil & Caruana 2005 say ~1,000 for SVMs)
)
FEWEST_TOGETHER: Final = 20  # outcomes of a step of the isotonic function
BINS: Final = 10
FOLDS: Final = 5


@dataclass(frozen=True, slots=True)
class Bin:
    """Outcomes whose confidence fell into one tenth: how many, mean confidence, share that was right."""

    count: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A map from claimed to calibrated confidence, with its evidence. `usable` False: `why` says why not to show it."""

    method: str  # isotonic, platt or none
    outcomes: int
    right: int
    usable: bool
    why: str
    params: dict[str, list[float]] = field(default_factory=dict)
    error_before: float | None = None  # expected calibration error of what was claimed
    error_after: float | None = None  # of what was fitted, on folds it has not seen
    brier: float | None = None
    brier_of_mean: float | None = None
    before: tuple[Bin, ...] = ()
    after: tuple[Bin, ...] = ()


def fit(claimed: Sequence[float], right: Sequence[bool]) -> Fit:
    """Fit on outcomes: claimed confidences (0-1) and whether each turned out right."""
    import numpy as np

    count, good = len(claimed), sum(map(bool, right))
    if count < FEWEST or min(good, count - good) < FEWEST_OF_EACH:
        why = f"{count} outcomes, {good} of them right; {FEWEST} are needed, and {FEWEST_OF_EACH} of each kind"
        return Fit("none", count, good, usable=False, why=why)
    x, y = np.asarray(claimed, dtype=float), np.asarray(right, dtype=float)
    method = "isotonic" if count >= ISOTONIC_FROM else "platt"
    held_out = _held_out(x, y, method)
    error = calibration_error(held_out, y)
    brier, of_mean = float(((held_out - y) ** 2).mean()), float(((y.mean() - y) ** 2).mean())
    usable = error <= WORST_ERROR and brier <= of_mean * (1 - LEAST_SKILL)
    return Fit(
        method,
        count,
        good,
        usable,
        _why(count, error, brier, of_mean),
        params=_parameters(x, y, method),
        error_before=round(calibration_error(x, y), 4),
        error_after=round(error, 4),
        brier=round(brier, 4),
        brier_of_mean=round(of_mean, 4),
        before=bins(x, y),
        after=bins(held_out, y),
    )


def _why(count: int, error: float, brier: float, of_mean: float) -> str:
    if error > WORST_ERROR:
        return f"badly calibrated: off by {error:.2f} on average over {count} outcomes, {WORST_ERROR:.2f} is allowed"
    if brier > of_mean * (1 - LEAST_SKILL):
        return f"says hardly more than the mean over {count} outcomes (Brier {brier:.3f}, the mean alone {of_mean:.3f})"
    return f"calibrated on {count} outcomes, off by {error:.2f} on average"


def apply(method: str, params: dict[str, list[float]], claimed: float) -> float:
    """The calibrated confidence for a claimed one."""
    import numpy as np

    return round(float(_predict(method, params, np.asarray([claimed]))[0]), 4)


def calibration_error(confidence: Any, right: Any) -> float:
    """Expected calibration error over ten equal bins: the mean gap between confidence and share of right ones."""
    found = bins(confidence, right)
    total = sum(one.count for one in found)
    return float(sum(one.count * abs(one.confidence - one.right) for one in found) / total) if total else 0.0


def bins(confidence: Any, right: Any) -> tuple[Bin, ...]:
    """Outcomes by tenth of confidence; empty tenths are left out."""
    import numpy as np

    x, y = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    places = np.minimum((x * BINS).astype(int), BINS - 1)
    return tuple(
        Bin(int((places == at).sum()), round(float(x[places == at].mean()), 4), round(float(y[places == at].mean()), 4))
        for at in np.unique(places)
    )


def _held_out(x: Any, y: Any, method: str) -> Any:
    """Each outcome's calibrated confidence by a fit on the other folds."""
    import numpy as np

    places = np.random.default_rng(20).permutation(len(x)) % FOLDS
    predicted = np.empty(len(x))
    for fold in range(FOLDS):
        rest = places != fold
        predicted[~rest] = _predict(method, _parameters(x[rest], y[rest], method), x[~rest])
    return predicted


def _parameters(x: Any, y: Any, method: str) -> dict[str, list[float]]:
    return _isotonic(x, y) if method == "isotonic" else _platt(x, y)


def _predict(method: str, params: dict[str, list[float]], x: Any) -> Any:
    import numpy as np

    if method == "isotonic":
        return np.interp(x, params["x"], params["y"])
    a, b = params["ab"]
    return 1 / (1 + np.exp(np.clip(-(a * x + b), -500, 500)))


def _isotonic(x: Any, y: Any) -> dict[str, list[float]]:
    """The non-decreasing step function of least squares; between steps it is read off a straight line."""
    import numpy as np

    values, places = np.unique(x, return_inverse=True)  # outcomes of one claim are one point
    counts, sums = np.bincount(places), np.bincount(places, weights=y)
    blocks: list[list[float]] = []  # sum of y, count, sum of x
    for block in _groups(values, counts, sums):
        blocks.append(block)
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [held + more for held, more in zip(blocks[-1], last, strict=True)]
    return {"x": [block[2] / block[1] for block in blocks], "y": [block[0] / block[1] for block in blocks]}


def _groups(values: Any, counts: Any, sums: Any) -> list[list[float]]:
    """Neighbouring claims put together until each group has FEWEST_TOGETHER outcomes: one outlier is no certainty."""
    groups: list[list[float]] = []
    for one, count, good in zip(values, counts, sums, strict=True):
        fresh = [float(good), float(count), float(one * count)]
        if groups and groups[-1][1] < FEWEST_TOGETHER:
            groups[-1] = [held + more for held, more in zip(groups[-1], fresh, strict=True)]
        else:
            groups.append(fresh)
    if len(groups) > 1 and groups[-1][1] < FEWEST_TOGETHER:
        last = groups.pop()
        groups[-1] = [held + more for held, more in zip(groups[-1], last, strict=True)]
    return groups


def _platt(x: Any, y: Any) -> dict[str, list[float]]:
    """a and b of 1 / (1 + exp(-(a x + b))) with targets (n+1)/(n+2) and 1/(n+2): certainty is never claimed."""
    import numpy as np

    good, bad = float(y.sum()), float(len(y) - y.sum())
    target = np.where(y > 0.5, (good + 1) / (good + 2), 1 / (bad + 2))
    design = np.column_stack([x, np.ones_like(x)])
    beta = np.zeros(2)
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ beta, -500, 500)))
        slope = design.T @ (target - chance) - 1e-6 * beta
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        beta = beta + np.clip(step, -10, 10)
        if float(np.abs(step).max()) < 1e-8:
            break
    return {"ab": [float(value) for value in beta]}
