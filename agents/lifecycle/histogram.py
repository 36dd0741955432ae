"""Latencies as counts in buckets that grow by a fixed ratio, so that minutes and processes add up. No Django.

A quantile read from it is the upper bound of its bucket: never below the true one, and at most 19 % above it.
"""

from collections.abc import Mapping
from math import ceil, log2
from typing import Final

STEPS: Final = 4  # buckets for each doubling: their bounds are 2 ** (i / 4) milliseconds
LAST: Final = 4 * 24  # 2 ** 24 ms, 4.7 hours: longer calls count as this


def bucket_of(ms: float) -> int:
    """The bucket whose bound is the next at or above it."""
    return min(LAST, max(0, ceil(STEPS * log2(max(ms, 1.0)))))


def bound_of(bucket: int) -> float:
    """The upper bound of a bucket in milliseconds."""
    return float(2 ** (bucket / STEPS))


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """The bound within which this share of the calls ended, in milliseconds; None without calls."""
    wanted = share * sum(counts.values())
    if wanted <= 0:
        return None
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            return bound_of(bucket)
    return bound_of(max(counts))
