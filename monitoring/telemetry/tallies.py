"""Counts what the log tells, from the first time that somebody asks: the counters of `/metrics`.

They lie in the database, so that every web process says the same, and each count is added in the transaction that moves
the cursor: a crash repeats all of a stretch or nothing. While nobody asks, nothing is counted; whoever asks again gets
what happened meanwhile, too.
"""

from datetime import timedelta
from typing import Final

from django.db import connection, transaction
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

_COUNT: Final = """
WITH stretch AS (
    SELECT pos, event_id FROM orchestrator_ledger WHERE pos > %(after)s AND pos <= %(until)s
), seen AS MATERIALIZED (
    SELECT e.run_id, e.kind, e.actor, e.data
      FROM orchestrator_event e JOIN stretch s ON s.event_id = e.id
     WHERE e.id BETWEEN (SELECT min(event_id) FROM stretch) AND (SELECT max(event_id) FROM stretch)
       AND e.kind = ANY (%(kinds)s)
)
INSERT INTO monitoring_tally AS t (name, label, word, n, total)
SELECT x.name, left(coalesce(x.label, ''), 100), left(coalesce(x.word, ''), 40), count(*), 0
  FROM seen e
  LEFT JOIN orchestrator_run r ON r.id = e.run_id
  LEFT JOIN orchestrator_workflow w ON w.id = r.workflow_id
 CROSS JOIN LATERAL (VALUES
    (CASE WHEN e.kind LIKE 'run.%%' THEN 'runs' END, w.name, split_part(e.kind, '.', 2)),
    (CASE WHEN e.kind LIKE 'task.%%' THEN 'tasks' END, w.name, split_part(e.kind, '.', 2)),
    (CASE WHEN e.kind LIKE 'gate.%%' THEN 'gates' END, w.name,
        coalesce(e.data ->> 'verdict', split_part(e.kind, '.', 2))),
    (CASE WHEN e.kind IN ('policy.refused', 'guard.violated', 'tool.refused') THEN 'violations' END,
        coalesce(e.data ->> 'agent', CASE WHEN e.actor LIKE 'agent:%%' THEN substr(e.actor, 7) END), ''),
    (CASE WHEN e.kind = 'tool.called' THEN 'tool_calls' END, e.data ->> 'tool', ''),
    (CASE WHEN e.kind = 'tool.called' AND coalesce(e.data ->> 'outcome', 'done') NOT IN ('done', 'kept')
        THEN 'tool_errors' END, e.data ->> 'tool', ''),
    (CASE WHEN e.kind = 'alert.raised' THEN 'alerts' END, e.data ->> 'rule', e.data ->> 'severity')
 ) AS x (name, label, word)
 WHERE x.name IS NOT NULL GROUP BY 1, 2, 3
ON CONFLICT (name, label, word) DO UPDATE SET n = t.n + EXCLUDED.n
"""


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
    with connection.cursor() as statement:
        statement.execute(_COUNT, {"after": first, "until": last, "kinds": list(_COUNTED)})
    _note(last)
    return last - first


def _note(pos: int) -> None:
    TallyCursor.objects.update(pos=pos)


def add(name: str, label: str, word: str, *, n: int, total: float) -> None:
    """Count something that no event tells, in the caller's transaction."""
    with connection.cursor() as statement:
        statement.execute(
            "INSERT INTO monitoring_tally AS t (name, label, word, n, total) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (name, label, word) DO UPDATE SET n = t.n + EXCLUDED.n, total = t.total + EXCLUDED.total",
            [name, label, word, n, total],
        )


def rows() -> list[Tally]:
    """Everything that was counted, in a fixed order."""
    return list(Tally.objects.order_by("name", "label", "word"))
