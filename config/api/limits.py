"""Token buckets in this process: how often a token, a user or a failing address may call.

Each web process keeps its own, so the effective limit is these figures times the number of web processes. That is
enough against loops and guessing; quotas that must hold exactly belong in the database.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MAX_BUCKETS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `burst` at once, and `per_second` in the long run."""

    burst: float
    per_second: float


TOKEN: Final = Rate(burst=120, per_second=20)
USER: Final = Rate(burst=240, per_second=40)
CALLBACK: Final = Rate(burst=60, per_second=5)  # calls back from one address
FAILURE: Final = Rate(burst=10, per_second=0.2)


class Buckets:
    """Buckets by name; the least recently used are forgotten, which only ever allows more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # name: (tokens left, when)

    def take(self, name: str, rate: Rate, *, amount: float = 1) -> float:
        """Take one and return 0, or return the seconds until there is one. With amount 0, only look."""
        now = time.monotonic()
        with self._lock:
            left, when = self._levels.pop(name, (rate.burst, now))
            left = min(rate.burst, left + (now - when) * rate.per_second)
            wait = 0.0 if left >= max(amount, 1) else (max(amount, 1) - left) / rate.per_second
            self._levels[name] = (left - amount if wait == 0 else left, now)
            if len(self._levels) > MAX_BUCKETS:
                self._levels.popitem(last=False)
        return wait

    def clear(self) -> None:
        """Forget every bucket."""
        with self._lock:
            self._levels.clear()


buckets = Buckets()
