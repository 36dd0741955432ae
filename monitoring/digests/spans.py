"""Which span a digest is about. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final

KINDS: Final = ("weekly", "monthly", "quarterly")


def last(kind: str, now: datetime) -> tuple[datetime, datetime]:
    """The newest week (from Monday), month or quarter (UTC) that is over."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match kind:
        case "weekly":
            until = today - timedelta(days=today.weekday())
            return until - timedelta(days=7), until
        case "monthly":
            until = today.replace(day=1)
            return (until - timedelta(days=1)).replace(day=1), until
    until = today.replace(month=3 * ((today.month - 1) // 3) + 1, day=1)
    before = until - timedelta(days=1)
    return before.replace(month=3 * ((before.month - 1) // 3) + 1, day=1), until


def now_running(kind: str, now: datetime) -> tuple[datetime, datetime]:
    """The one under way, up to the end of today."""
    tomorrow = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return last(kind, now)[1], tomorrow
