"""Spans that the log does not tell of, as they happen: put aside in memory, and written to rows by a thread.

Who puts one aside waits for nothing. What does not fit, or cannot be written, is counted as lost.
"""

import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import structlog
from django.db import DatabaseError, connections
from django.db.models import F

from agents.tracing import Trace
from monitoring.models import Outlet, OwnSpan

MOST: Final = 2_000  # in memory
MOST_ROWS: Final = 100_000  # while the collector is away; the oldest are lost first
EVERY: Final = 0.5  # seconds

log = structlog.get_logger(__name__)
_waiting: deque[OwnSpan] = deque()
_lock: Final = threading.Lock()
_lost = 0
_writer: threading.Thread | None = None


def put(  # noqa: PLR0913 - what a span is
    trace: Trace, *, name: str, kind: str, began: datetime, ended: datetime, failed: bool,
    facts: Mapping[str, str | int],
) -> None:  # fmt: skip
    """Put one aside. Without a caller, the exporter gives it the trace of the run that was written about."""
    global _lost
    run = min(trace.runs) if trace.runs else None
    row = OwnSpan(
        trace=trace.trace_id, span=trace.span_id, parent=trace.parent_id, run=run, name=name[:200], kind=kind,
        began_at=began, ended_at=ended, failed=failed, facts=dict(facts),
    )  # fmt: skip
    with _lock:
        if len(_waiting) < MOST:
            _waiting.append(row)
        else:
            _lost += 1
        _begin_writing()


def _begin_writing() -> None:
    global _writer
    if _writer is None or not _writer.is_alive():  # dead after a fork
        _writer = threading.Thread(target=_write, name="own-spans", daemon=True)
        _writer.start()


def _write() -> None:
    global _writer
    try:
        while True:
            time.sleep(EVERY)
            flush()
            with _lock:
                if not _waiting:
                    _writer = None
                    return
    finally:
        connections.close_all()


def flush() -> int:
    """Write down what was put aside; how many rows."""
    global _lost
    with _lock:
        rows, lost = list(_waiting), _lost
        _waiting.clear()
        _lost = 0
    try:
        OwnSpan.objects.bulk_create(rows)
        if lost:
            Outlet.objects.filter(pk=Outlet.Name.TRACES).update(lost=F("lost") + lost)
    except DatabaseError as problem:
        log.warning("own_spans.lost", count=len(rows), problem=type(problem).__name__)
        with _lock:
            _lost += len(rows) + lost
    return len(rows)


def trim() -> int:
    """Forget the oldest rows over the limit; how many."""
    newest = OwnSpan.objects.order_by("-pk").values_list("pk", flat=True)[MOST_ROWS : MOST_ROWS + 1].first()
    return OwnSpan.objects.filter(pk__lte=newest).delete()[0] if newest is not None else 0
