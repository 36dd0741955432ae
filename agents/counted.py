"""What agents do so often that no event tells of each: counted in memory, and added to one row a name by shifts.

These are what `/metrics` shows of them. Numbers and names only: no row knows what was read or asked.
"""

import threading
from bisect import bisect_left
from collections import defaultdict
from typing import Final

from django.db import transaction
from django.db.models import F

from agents.models import Counted

MEMORY_READS: Final = "memory_reads"
PROMPT_SECONDS: Final = "prompt_seconds"
BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # seconds; what takes longer is in none

type Key = tuple[str, str, str, int]


class Meter:
    """One per process. Counting is cheap enough for every call; `drain` may run in another thread."""

    def __init__(self) -> None:
        self._found: dict[Key, list[float]] = defaultdict(lambda: [0, 0.0])
        self._lock = threading.Lock()

    def count(self, name: str, agent: str) -> None:
        """One more."""
        with self._lock:
            self._found[name, agent[:100], "", -1][0] += 1

    def observe(self, name: str, agent: str, what: str, seconds: float) -> None:
        """One more that took so long."""
        with self._lock:
            found = self._found[name, agent[:100], what[:200], bisect_left(BOUNDS, seconds)]
            found[0] += 1
            found[1] += seconds

    def drain(self) -> dict[Key, list[float]]:
        """What was counted since the last time."""
        with self._lock:
            found, self._found = self._found, defaultdict(lambda: [0, 0.0])
        return dict(found)


default: Final = Meter()


def write_down() -> None:
    """Add what this process has counted to the rows."""
    if found := default.drain():
        _add(found)


@transaction.atomic
def _add(found: dict[Key, list[float]]) -> None:
    for key in sorted(found):  # in one order, so that two processes cannot wait for each other
        name, agent, what, bucket = key
        n, total = found[key]
        where = {"name": name, "agent": agent, "what": what, "bucket": bucket}
        Counted.objects.bulk_create([Counted(**where)], ignore_conflicts=True)
        Counted.objects.filter(**where).update(n=F("n") + int(n), total=F("total") + total)
