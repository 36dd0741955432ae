"""The reliability diagram as places in a picture: claimed confidence to the right, share that was right upwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

SIZE: Final = 200.0
LEFT: Final = 30.0
TOP: Final = 8.0
BIGGEST: Final = 9.0
SMALLEST: Final = 2.5


@dataclass(frozen=True, slots=True)
class Dot:
    """One tenth of confidence: its place, its radius by the number of outcomes, and the figures in words."""

    x: float
    y: float
    radius: float
    count: int
    confidence: float
    right: float


def dots(bins: Sequence[Mapping[str, Any]]) -> list[Dot]:
    """The dots of stored bins, on a field of SIZE by SIZE whose lower left corner is at (LEFT, TOP + SIZE)."""
    most = max((one["count"] for one in bins), default=1)
    return [
        Dot(
            round(LEFT + SIZE * one["confidence"], 1),
            round(TOP + SIZE * (1 - one["right"]), 1),
            round(max(SMALLEST, BIGGEST * sqrt(one["count"] / most)), 1),
            one["count"], one["confidence"], one["right"],
        )
        for one in bins
    ]  # fmt: skip
