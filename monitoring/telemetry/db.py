"""What stretches of the log speak of, looked up where it lies. The only module of telemetry with SQL.

A stretch is a range of places in the ledger. Each statement reads that range along its index and looks up what it
names by primary keys: how many runs and events there are in all makes no difference.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from django.db import connection

# Where a run's input names whose case it is, the first that is there.
CUSTOMER_FIELDS: Final = ("customer_id", "customer", "client_id", "account_id", "patient_id", "subject_id")
_LOCKS: Final = 7303  # advisory locks of two numbers: this one, and an outlet's
RUN_ENDS: Final = ("run.succeeded", "run.partly_succeeded", "run.failed", "run.cancelled")
TASK_ENDS: Final = ("task.succeeded", "task.failed", "task.skipped")
TRY_ENDS: Final = (
    "task.succeeded",
    "task.failed",
    "task.retry_scheduled",
    "task.waiting",
    "task.returned",
    "task.lost",
)

_STRETCH: Final = """
WITH stretch AS (
    SELECT pos, event_id FROM orchestrator_ledger WHERE pos > %(after)s AND pos <= %(until)s
), seen AS MATERIALIZED (
    SELECT s.pos, e.id, e.run_id, e.task_id, e.kind, e.at, e.actor, e.data
      FROM orchestrator_event e JOIN stretch s ON s.event_id = e.id
     WHERE e.id BETWEEN (SELECT min(event_id) FROM stretch) AND (SELECT max(event_id) FROM stretch)
       AND e.kind = ANY (%(kinds)s)
), customers AS MATERIALIZED (  -- once a run, however many events: an input may be large
    SELECT r.id AS run_id, (
        SELECT r.input ->> field FROM unnest(%(customer)s::text[]) WITH ORDINALITY AS f (field, n)
         WHERE jsonb_typeof(r.input -> field) IN ('string', 'number') ORDER BY n LIMIT 1) AS customer
      FROM orchestrator_run r WHERE r.id IN (SELECT DISTINCT run_id FROM seen)
)
"""
_RUNS: Final = f"""{_STRETCH}
SELECT r.id, r.correlation_id, w.name, v.number, e.kind, r.started_at, e.at, r.total, r.parent_task, p.correlation_id,
       (SELECT f.data ->> 'parent' FROM (
            SELECT x.kind, x.data FROM orchestrator_event x WHERE x.run_id = r.id ORDER BY x.id LIMIT 5) f
         WHERE f.kind = 'run.traced'),
       c.customer
  FROM seen e JOIN orchestrator_run r ON r.id = e.run_id
  JOIN customers c ON c.run_id = r.id
  JOIN orchestrator_workflow w ON w.id = r.workflow_id
  JOIN orchestrator_workflowversion v ON v.id = r.version_id
  LEFT JOIN orchestrator_run p ON p.id = r.parent_task >> 20
 ORDER BY e.pos
"""  # noqa: S608 - constants of this module
_TASKS: Final = f"""{_STRETCH}
SELECT DISTINCT ON (t.id) t.id, t.run_id, r.correlation_id, w.name, t.key, t.kind, g.name, e.kind, t.attempt,
       least((SELECT min(a.started_at) FROM orchestrator_attempt a WHERE a.task_id = t.id), t.ready_at), e.at, t.parent
  FROM seen e JOIN orchestrator_task t ON t.id = e.task_id
  JOIN orchestrator_run r ON r.id = t.run_id
  JOIN orchestrator_workflow w ON w.id = r.workflow_id
  LEFT JOIN agents_agent g ON g.id = t.agent_id
 ORDER BY t.id, e.pos DESC
"""  # noqa: S608 - as above
_TRIES: Final = f"""{_STRETCH}, named AS (
    SELECT DISTINCT e.task_id,
           CASE WHEN e.data ->> 'attempt' ~ '^[0-9]{{1,4}}$' THEN (e.data ->> 'attempt')::smallint END AS number
      FROM seen e WHERE e.task_id IS NOT NULL AND e.kind <> 'task.cancelled'
), tries AS (
    SELECT a.* FROM named n JOIN orchestrator_attempt a ON a.task_id = n.task_id AND a.number = n.number
     UNION
    -- What was running when its run was cancelled or failed: one event speaks of all of it.
    SELECT a.* FROM seen e
      JOIN orchestrator_attempt a ON a.task_id >= e.run_id << 20 AND a.task_id < (e.run_id + 1) << 20
     WHERE e.kind = 'task.cancelled' AND a.status = 'suspended'
       AND a.ended_at BETWEEN e.at - interval '5 seconds' AND e.at + interval '5 seconds'
)
SELECT a.task_id, a.number, a.status, a.started_at, a.ended_at, a.agent_version, a.tokens_in, a.tokens_out, a.cost,
       a.error ->> 'code', a.shift, t.key, t.kind, g.name, m.kind, coalesce(m.capabilities, '{{}}'), t.revision,
       CASE WHEN t.attempt = a.number AND t.ready_at <= a.started_at THEN t.ready_at END,
       r.id, r.correlation_id, w.name
  FROM tries a JOIN orchestrator_task t ON t.id = a.task_id
  JOIN orchestrator_run r ON r.id = t.run_id
  JOIN orchestrator_workflow w ON w.id = r.workflow_id
  LEFT JOIN agents_agent g ON g.id = t.agent_id
  LEFT JOIN agents_agentversion m ON m.agent_id = g.id AND m.number = a.agent_version
 WHERE a.started_at IS NOT NULL
"""  # noqa: S608 - as above
_EVENTS: Final = f"""{_STRETCH}
SELECT e.pos, e.id, e.run_id, e.task_id, e.kind, e.at, e.actor, e.data, r.correlation_id, w.name, c.customer, t.key,
       g.name
  FROM seen e LEFT JOIN orchestrator_run r ON r.id = e.run_id
  LEFT JOIN customers c ON c.run_id = r.id
  LEFT JOIN orchestrator_workflow w ON w.id = r.workflow_id
  LEFT JOIN orchestrator_task t ON t.id = e.task_id
  LEFT JOIN agents_agent g ON g.id = t.agent_id
 ORDER BY e.pos
"""  # noqa: S608 - as above
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
_ADD: Final = """
INSERT INTO monitoring_tally AS t (name, label, word, n, total) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (name, label, word) DO UPDATE SET n = t.n + EXCLUDED.n, total = t.total + EXCLUDED.total
"""
_ALL_EVENTS: Final = _EVENTS.replace("\n       AND e.kind = ANY (%(kinds)s)", "")


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A run that ended."""

    run: int
    correlation: str
    workflow: str
    version: int
    kind: str
    began: datetime
    ended: datetime
    total: int
    parent_task: int | None
    parent_correlation: str | None
    caller: str | None
    customer: str | None


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """A task that ended."""

    task: int
    run: int
    correlation: str
    workflow: str
    step: str
    step_kind: str
    agent: str | None
    kind: str
    attempts: int
    began: datetime | None
    ended: datetime
    parent: int | None


@dataclass(frozen=True, slots=True)
class Try:
    """A try at a task that ended."""

    task: int
    number: int
    status: str
    began: datetime
    ended: datetime
    version: int | None
    tokens_in: int
    tokens_out: int
    cost: float
    code: str | None
    shift: int | None
    step: str
    step_kind: str
    agent: str | None
    agent_kind: str | None
    capabilities: list[str]
    revision: int
    ready: datetime | None
    run: int
    correlation: str
    workflow: str


@dataclass(frozen=True, slots=True)
class Told:
    """One event and what it belongs to."""

    pos: int
    id: int
    run: int | None
    task: int | None
    kind: str
    at: datetime
    actor: str
    data: dict[str, Any]
    correlation: str | None
    workflow: str | None
    customer: str | None
    step: str | None
    agent: str | None


def runs(after: int, until: int) -> list[RunEnd]:
    """The runs that ended in a stretch."""
    return [RunEnd(*row) for row in _rows(_RUNS, after, until, RUN_ENDS)]


def tasks(after: int, until: int) -> list[TaskEnd]:
    """The tasks that ended in it."""
    return [TaskEnd(*row) for row in _rows(_TASKS, after, until, TASK_ENDS)]


def tries(after: int, until: int) -> list[Try]:
    """The tries that ended in it."""
    return [Try(*row) for row in _rows(_TRIES, after, until, (*TRY_ENDS, "task.cancelled"))]


def told(after: int, until: int, kinds: Sequence[str] | None = None) -> list[Told]:
    """The events of it, or those of some kinds, with what they belong to."""
    rows = _rows(_ALL_EVENTS if kinds is None else _EVENTS, after, until, kinds or ())
    return [Told(*(*row[:7], _object(row[7]), *row[8:])) for row in rows]


def _rows(query: str, after: int, until: int, kinds: Sequence[str]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, _asked(after, until, kinds))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _asked(after: int, until: int, kinds: Sequence[str]) -> dict[str, int | list[str]]:
    return {"after": after, "until": until, "kinds": list(kinds), "customer": list(CUSTOMER_FIELDS)}


def _object(value: object) -> dict[str, Any]:
    """Django's raw cursors hand jsonb over as text, others as values."""
    found = orjson.loads(value) if isinstance(value, str | bytes) else value
    return found if isinstance(found, dict) else {}


def count(after: int, until: int, kinds: Sequence[str]) -> None:
    """Add what a stretch says of these kinds to the tallies."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"after": after, "until": until, "kinds": list(kinds)})


def add_to_tally(name: str, label: str, word: str, *, n: int, total: float) -> None:
    """Add to one tally, which is made if it is not there."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [name, label, word, n, total])


@contextmanager
def alone(number: int) -> Iterator[bool]:
    """Whether this session has the lock of this number for the block; it is gone with the session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCKS, number])
        mine: bool = cursor.fetchone()[0]
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCKS, number])
