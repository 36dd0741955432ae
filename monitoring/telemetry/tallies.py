"""Counts what the log tells, from the first time that somebody asks: the counters of `/metrics`.

They lie in the database, so that every web process says the same, and each count is added in the transaction that moves
the cursor: a crash repeats all of a stretch or nothing. While nobody asks, nothing is counted; whoever asks again gets
what happened meanwhile, too.
"""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from monitoring.models import Tally, TallyCursor
from monitoring.telemetry import db
from orchestrator import ledger

STRETCH: Final = 20_000
STRETCHES: Final = 10  # at one call; the next beat goes on
ASKED_FOR: Final = timedelta(hours=1)  # so long after a question it is counted on
FAR_BEHIND: Final = 2_000_000
_COUNTED: Final = (
    *db.RUN_ENDS, *db.TASK_ENDS, "run.started", "task.retry_scheduled", "task.lost", "policy.refused", "guard.violated",
    "tool.called", "tool.refused", "gate.opened", "gate.decided", "alert.raised",
)  # fmt: skip


def asked() -> None:
    """Somebody wants to know: count from now on, or go on counting. At most one row is written a minute."""
    TallyCursor.objects.bulk_create([TallyCursor(pos=ledger.head())], ignore_conflicts=True)
    TallyCursor.objects.filter(asked_at__lt=timezone.now() - timedelta(minutes=1)).update(asked_at=Now())


def count_on() -> int:
    """Count on to the log's end while anybody asks; how many places were read."""
    if not TallyCursor.objects.filter(asked_at__gte=timezone.now() - ASKED_FOR).exists():
        return 0
    end, total = ledger.head(), 0
    for _ in range(STRETCHES):
        read = _stretch(end)
        total += read
        if read < STRETCH:
            break
    return total


@transaction.atomic
def _stretch(end: int) -> int:
    cursor = TallyCursor.objects.select_for_update(skip_locked=True).first()
    if cursor is None or cursor.pos >= end:
        return 0
    first = max(cursor.pos, end - FAR_BEHIND)
    last = min(end, first + STRETCH)
    db.count(first, last, _COUNTED)
    _note(last)
    return last - first


def _note(pos: int) -> None:
    TallyCursor.objects.update(pos=pos)


def add(name: str, label: str, word: str, *, n: int, total: float) -> None:
    """Count something that no event tells, in the caller's transaction."""
    db.add_to_tally(name, label, word, n=n, total=total)


def rows() -> list[Tally]:
    """Everything that was counted, in a fixed order."""
    return list(Tally.objects.order_by("name", "label", "word"))
