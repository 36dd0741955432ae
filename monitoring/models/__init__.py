"""What monitoring keeps: projections of the event log, and what people ask of them."""

from monitoring.models.forensics import Mention, MentionCursor

__all__ = [
    "Mention",
    "MentionCursor",
]
