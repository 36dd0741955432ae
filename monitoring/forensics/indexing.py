"""Reads on along the sealed log and notes whom and what it speaks of, so that a search need not read the log again.

Behind the sequencer, in stretches: who writes events pays nothing for it. One statement a stretch, which is why this
module speaks SQL. Cursor and rows are one transaction: a crash repeats all of it or nothing.
"""

from typing import Any, Final

from django.db import connection, transaction

from monitoring.models import MentionCursor
from orchestrator import ledger

STRETCH: Final = 50_000  # places of the log that one transaction reads
MOST_STRETCHES: Final = 20  # in one go; the next beat goes on
# Where a run's input names what it is about, the first that is there.
INCIDENT_FIELDS: Final = ("incident_id", "incident", "alert_id", "case_id", "ticket_id", "id")
_WORKED: Final = ("task.started", "task.redirected", "task.fell_back", "task.assigned")

# The ids of a stretch lie close together: a range of them is read along the index, not id by id in every month.
_READ: Final = """
WITH stretch AS (
    SELECT pos, event_id FROM orchestrator_ledger WHERE pos > %(after)s AND pos <= %(until)s
), ends AS (
    SELECT min(event_id) AS first, max(event_id) AS last FROM stretch
), said AS MATERIALIZED (
    SELECT s.pos, e.run_id, e.task_id, e.kind, e.actor, e.data
      FROM orchestrator_event e JOIN stretch s ON s.event_id = e.id
     WHERE e.id BETWEEN (SELECT first FROM ends) AND (SELECT last FROM ends)
       AND (e.actor LIKE 'user:%%' OR e.run_id IS NULL OR e.kind = 'run.started' OR e.kind = ANY (%(worked)s))
), found AS (
    SELECT 'person' AS kind, substr(actor, 6) AS name, pos, run_id FROM said WHERE actor LIKE 'user:%%'
    UNION ALL
    SELECT 'person', data ->> 'user', pos, run_id FROM said WHERE run_id IS NULL AND data ? 'user'
    UNION ALL
    SELECT 'agent', data ->> 'agent', pos, NULL FROM said WHERE run_id IS NULL AND data ? 'agent'
    UNION ALL
    SELECT 'agent', a.name, min(s.pos), s.run_id
      FROM said s JOIN orchestrator_task t ON t.id = s.task_id JOIN agents_agent a ON a.id = t.agent_id
     WHERE s.kind = ANY (%(worked)s) GROUP BY a.name, s.run_id
    UNION ALL
    SELECT 'incident', i.name, s.pos, s.run_id
      FROM said s JOIN orchestrator_run r ON r.id = s.run_id,
           LATERAL (SELECT r.input ->> field AS name FROM unnest(%(fields)s::text[]) WITH ORDINALITY AS f (field, n)
                     WHERE jsonb_typeof(r.input -> field) IN ('string', 'number') ORDER BY n LIMIT 1) i
     WHERE s.kind = 'run.started'
)
INSERT INTO monitoring_mention (kind, name, pos, run_id)
SELECT kind, left(name, 200), pos, run_id FROM found WHERE name <> '' ORDER BY pos
ON CONFLICT DO NOTHING
"""


def index() -> int:
    """Read on to the log's end; how many places were read. Safe to lose, repeat or run twice at once."""
    end, total = ledger.head(), 0
    for _turn in range(MOST_STRETCHES):
        read = _read_stretch(end)
        total += read
        if read < STRETCH:
            break
    return total


@transaction.atomic
def _read_stretch(end: int) -> int:
    MentionCursor.objects.bulk_create([MentionCursor(pk=1)], ignore_conflicts=True)
    cursor = MentionCursor.objects.select_for_update(skip_locked=True).first()
    if cursor is None or cursor.pos >= end:  # another process is at it, or nothing is new
        return 0
    last = min(end, cursor.pos + STRETCH)
    span: dict[str, Any] = {
        "after": cursor.pos,
        "until": last,
        "worked": list(_WORKED),
        "fields": list(INCIDENT_FIELDS),
    }
    with connection.cursor() as statement:
        statement.execute(_READ, span)
    read = last - cursor.pos
    cursor.pos = last
    cursor.save(update_fields=["pos"])
    return read
