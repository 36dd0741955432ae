"""What was decided about calls, counted in memory and added to one row per hour; shifts write it down."""

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents import counted
from agents.models import ToolUse
from agents.tools import calls

type Key = tuple[str, str, str, str, str, str, datetime]


@dataclass(slots=True)
class Count:
    """Calls of one kind in one hour since the database was last told."""

    calls: int
    total_ms: float
    last_at: datetime
    last_key: str


class ToolMeter:
    """One per process. `count` is cheap enough for every call; `drain` may run in another thread."""

    def __init__(self) -> None:
        self._counts: dict[Key, Count] = {}
        self._lock = threading.Lock()

    def count(
        self, agent: str, tool: str, decision: str, *, code: str = "", held: tuple[str, str] = ("", ""), **facts: Any
    ) -> None:
        """Count one decision now. `held`: policy and entitlement; facts: `ms`, `key`."""
        now = timezone.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        key = (agent, tool, decision, code, held[0].rpartition(" v")[0] or held[0], held[1], hour)
        with self._lock:
            found = self._counts.get(key)
            if found is None:
                found = self._counts[key] = Count(0, 0.0, now, "")
            found.calls += 1
            found.total_ms += facts.get("ms", 0.0)
            found.last_at, found.last_key = now, str(facts.get("key", ""))[:200]

    def drain(self) -> dict[Key, Count]:
        """What was counted since the last time."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return counts


default = ToolMeter()
_COLUMNS = ("agent", "tool", "decision", "code", "policy", "entitlement", "hour")


@transaction.atomic
def record(counts: dict[Key, Count]) -> None:
    """Add what was counted to the hours' rows."""
    for key in sorted(counts):
        found = counts[key]
        columns = dict(zip(_COLUMNS, key, strict=True))
        fresh = {"calls": 0, "total_ms": 0.0, "last_at": found.last_at}
        row, _ = ToolUse.objects.get_or_create(**columns, defaults=fresh)
        ToolUse.objects.filter(pk=row.pk).update(
            calls=F("calls") + found.calls,
            total_ms=F("total_ms") + found.total_ms,
            last_at=found.last_at,
            last_key=found.last_key,
        )


def write_down() -> None:
    """Record what this process has counted, what it has noted of calls, and its other counts."""
    record(default.drain())
    calls.write_down()
    counted.write_down()
