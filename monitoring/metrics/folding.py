"""Keeps the rollups up with the ledger, and makes them anew. Who comes second leaves it to the first.

Reading on is a transaction for each stretch, with the cursor in it: a crash repeats a whole stretch or nothing.
"""

import time
from collections.abc import Callable
from typing import Final

from django.db import OperationalError, transaction
from django.db.models.functions import Now

from approvals.models import RoleTerms
from approvals.roles import ROLES
from monitoring.metrics import db
from monitoring.models import MeasureCursor
from orchestrator import ledger

STRETCH: Final = 10_000  # places of the ledger that one transaction measures
SHORTEST: Final = 100
PATIENCE_S: Final = 5.0  # of one call; beat calls again


def catch_up(*, seconds: float = PATIENCE_S) -> int:
    """Measure on to the ledger's end, or as far as the time goes; return how many places were read."""
    began, end, read, size = time.monotonic(), ledger.head(), 0, STRETCH
    while time.monotonic() - began < seconds:
        try:
            step = _read_on(end, size)
        except OperationalError:  # longer than a statement may take: a stretch full of ends of very wide runs
            if size <= SHORTEST:
                raise
            size = max(SHORTEST, size // 4)
            continue
        if not step:
            break
        read += step
    return read


@transaction.atomic
def _read_on(end: int, size: int) -> int:
    cursor = _cursor()
    if cursor is None or cursor.pos >= end:
        return 0
    last = min(end, cursor.pos + size)
    db.measure(after=cursor.pos, until=last, epoch=cursor.epoch, roles=_roles())
    read = last - cursor.pos
    _move(cursor, last)
    return read


def rebuild(*, tell: Callable[[int, int], None] = lambda _pos, _end: None) -> int:
    """Make the rollups anew from the whole ledger and put them in the old ones' place; return up to which position.

    1. Write the next epoch beside the one that pages read, a stretch at a time, and look at the log's end again.
    2. With the cursor locked, so that nobody measures meanwhile, write the last stretches up to the cursor.
    3. Let the new epoch count, in the same transaction; then drop the old one.
    """
    _cursor_row()
    epoch, pos = MeasureCursor.objects.get(pk=1).epoch + 1, 0
    while pos < (end := MeasureCursor.objects.get(pk=1).pos):
        last = min(end, pos + STRETCH)
        with transaction.atomic():
            db.measure(after=pos, until=last, epoch=epoch, roles=_roles())
        pos = last
        tell(pos, end)
    with transaction.atomic():
        cursor = MeasureCursor.objects.select_for_update().get(pk=1)
        if cursor.pos > pos:
            db.measure(after=pos, until=cursor.pos, epoch=epoch, roles=_roles())
        cursor.epoch = epoch
        cursor.save(update_fields=["epoch"])
    db.forget(epoch)
    return cursor.pos


def _cursor() -> MeasureCursor | None:
    _cursor_row()
    return MeasureCursor.objects.select_for_update(skip_locked=True).first()


def _cursor_row() -> None:
    MeasureCursor.objects.bulk_create([MeasureCursor()], ignore_conflicts=True)


def _move(cursor: MeasureCursor, pos: int) -> None:
    MeasureCursor.objects.filter(pk=cursor.pk).update(pos=pos, measured_at=Now())


def _roles() -> list[str]:
    """Groups that say what somebody may do, not whom they work with: no team pays because of one."""
    return [*ROLES, *RoleTerms.objects.filter(is_own=True).values_list("group__name", flat=True)]
