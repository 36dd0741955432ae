"""The one statement of alerts that the ORM cannot say: what happened between two places of the log, by subject.

It reads a range of event ids that the ledger has sealed. Sealing follows the ids, so below a sealed one nothing appears
any more, and the range is read from the index of ids alone: what it costs depends on what is new, not on what there is.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from django.db import connection

_TOKENS: Final = """
    SELECT a.name, date_trunc('minute', e.at),
           sum(coalesce((e.data ->> 'tokens_in')::float8, 0) + coalesce((e.data ->> 'tokens_out')::float8, 0)),
           sum(coalesce((e.data ->> 'cost')::float8, 0))
    FROM orchestrator_event e
    JOIN orchestrator_task t ON t.id = e.task_id
    JOIN agents_agent a ON a.id = t.agent_id
    WHERE e.id > %s AND e.id <= %s AND e.kind = 'task.succeeded' AND e.data ? 'tokens_in'
    GROUP BY 1, 2
"""
_FACTS: Final = """
    SELECT e.kind, e.at, e.run_id, e.actor, w.name, e.data, extract(epoch FROM r.ended_at - r.started_at)::float8 * 1000
    FROM orchestrator_event e
    LEFT JOIN orchestrator_run r ON r.id = e.run_id
    LEFT JOIN orchestrator_workflow w ON w.id = r.workflow_id
    WHERE e.id > %s AND e.id <= %s AND e.kind = ANY(%s)
"""
_DEPTH: Final = """
    SELECT l.name, d.depth, d.late FROM orchestrator_lane l, LATERAL (
        SELECT count(*) AS depth, count(*) FILTER (WHERE few.ready_at < %s) AS late FROM (
            SELECT t.ready_at FROM orchestrator_task t
            WHERE t.lane = l.name AND t.status = 'ready' AND NOT t.held AND NOT t.limited AND NOT t.suspect
            LIMIT %s) few) d
"""


class Depth(NamedTuple):
    """Tasks of a lane that wait for a worker, and those of them that have since before a given moment."""

    ready: int
    late: int


class Fact(NamedTuple):
    """One event of a kind that is counted."""

    kind: str
    at: datetime
    run: int | None
    actor: str
    workflow: str | None
    data: dict[str, Any]
    ms: float | None  # of the run, if it has ended


def tokens(after: int, until: int) -> list[tuple[str, datetime, float, float]]:
    """Agent, minute, tokens and cost of the calls that ended in this range of sealed events."""
    with connection.cursor() as cursor:
        cursor.execute(_TOKENS, [after, until])
        rows: list[tuple[str, datetime, float, float]] = cursor.fetchall()
    return rows


def facts(kinds: Sequence[str], *, after: int, until: int) -> list[Fact]:
    """The events of these kinds in this range of sealed events."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [after, until, list(kinds)])
        rows = cursor.fetchall()
    return [
        Fact(kind, at, run, actor, workflow, _parsed(data), ms) for kind, at, run, actor, workflow, data, ms in rows
    ]


def depths(*, late: datetime, most: int) -> dict[str, Depth]:
    """How many tasks wait for a worker in each lane, and how many since before `late`; counted up to `most`."""
    with connection.cursor() as cursor:
        cursor.execute(_DEPTH, [late, most])
        return {lane: Depth(ready, since) for lane, ready, since in cursor.fetchall()}


def _parsed(data: object) -> dict[str, Any]:
    value = orjson.loads(data) if isinstance(data, str | bytes) else data
    return value if isinstance(value, dict) else {}
