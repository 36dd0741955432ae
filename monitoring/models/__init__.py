"""What monitoring keeps for itself: everything else it shows is read from the tables below."""

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

__all__ = [
    "Alert",
    "AlertCount",
    "AlertCursor",
    "AlertRule",
    "AlertStep",
    "GameDay",
    "Rotation",
    "Severity",
    "Silence",
]
