"""What monitoring keeps: projections of the event log, what people ask of them, alerts and what is done about them."""

from monitoring.models.alerting import (
    Alert,
    AlertCount,
    AlertCursor,
    AlertRule,
    AlertStep,
    GameDay,
    Rotation,
    Severity,
    Silence,
)
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
    "Alert",
    "AlertCount",
    "AlertCursor",
    "AlertRule",
    "AlertStep",
    "Baseline",
    "Digest",
    "DigestWish",
    "Effort",
    "Ending",
    "GameDay",
    "Measure",
    "MeasureCursor",
    "Objective",
    "Rotation",
    "Severity",
    "Silence",
    "Tier",
]
