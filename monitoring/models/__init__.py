"""What monitoring keeps: projections of the event log, and what people ask of them."""

from monitoring.models.forensics import Mention, MentionCursor
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
from monitoring.models.retention import LegalHold

__all__ = [
    "Baseline",
    "Digest",
    "DigestWish",
    "Effort",
    "Ending",
    "LegalHold",
    "Measure",
    "MeasureCursor",
    "Mention",
    "MentionCursor",
    "Objective",
    "Tier",
]
