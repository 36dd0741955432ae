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
from monitoring.models.telemetry import BusinessFigure, Outlet, OwnSpan, Tally, TallyCursor

__all__ = [
    "Alert",
    "AlertCount",
    "AlertCursor",
    "AlertRule",
    "AlertStep",
    "Baseline",
    "BusinessFigure",
    "Digest",
    "DigestWish",
    "Effort",
    "Ending",
    "GameDay",
    "LegalHold",
    "Measure",
    "MeasureCursor",
    "Mention",
    "MentionCursor",
    "Objective",
    "Outlet",
    "OwnSpan",
    "Rotation",
    "Severity",
    "Silence",
    "Tally",
    "TallyCursor",
    "Tier",
]
