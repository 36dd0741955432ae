"""What monitoring keeps: projections of the event log, and what people ask of them."""

from monitoring.models.measures import (
    Baseline,
    Digest,
    DigestWish,
    Effort,
    Ending,
    Measure,
    MeasureCursor,
    Objective,
    Tier,
)

__all__ = [
    "Baseline",
    "Digest",
    "DigestWish",
    "Effort",
    "Ending",
    "Measure",
    "MeasureCursor",
    "Objective",
    "Tier",
]
