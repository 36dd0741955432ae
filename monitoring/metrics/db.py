"""The one statement that measures a stretch of the ledger, and the sums that pages read. No other module has SQL here.

One statement, because a fact and its counts must come together or not at all, and because ten million events are
counted where they lie: nothing is carried to Python and back.

1. What a stretch of the ledger speaks of is looked up where it is stored: tries in `attempt`, ends in the log itself.
2. A try is written down once (`task`, `number`), whichever of its task's events speaks of it first; an end once by its
   event. Only what was written down now is counted, each in the hour in which it ended: the order of events, and how
   late one comes, make no difference to any sum.
3. Making the rollups anew writes the same rows with the next epoch; readers see the old one until it is complete.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection

RUN_ENDS: Final = ("run.succeeded", "run.partly_succeeded", "run.failed", "run.cancelled")
# A person who only starts, looks or speaks has not intervened.
NO_TOUCH: Final = (
    *("run.started", "run.queued", "run.forked", "task.noted", "feedback.given"),
    *("gate.claimed", "gate.released", "gate.commented", "gate.assigned", "gate.asked"),
)
ASKED: Final = ("exception", "quarantine")  # gates that say: this could not be mended by itself

# The last bucket, 140: 2 ** (140 / 4) ms, more than a year (see agents.lifecycle.histogram).
_BUCKET: Final = "least(140, greatest(0, ceil(4 * ln(greatest(%s, 1.0)::float8) / ln(2.0::float8))))::smallint"

_STRETCH: Final = """
WITH seen AS MATERIALIZED (
    SELECT e.id, e.run_id, e.task_id, e.kind, e.at, e.data
      FROM orchestrator_ledger l JOIN orchestrator_event e ON e.id = l.event_id
     WHERE l.pos > %(after)s AND l.pos <= %(until)s
       AND (e.kind = ANY (%(ends)s) OR e.kind IN ('run.started', 'gate.opened', 'gate.decided')
            OR e.kind IN ('message.sent', 'message.dead_lettered', 'message.expired', 'message.refused')
            OR (e.kind LIKE 'task.%%' AND e.kind <> 'task.started'))
), tries AS MATERIALIZED (
    SELECT a.* FROM (SELECT DISTINCT s.task_id FROM seen s WHERE s.task_id IS NOT NULL AND s.kind LIKE 'task.%%') t
      JOIN orchestrator_attempt a ON a.task_id = t.task_id
     UNION
    -- What was running when its run was cancelled or failed: one event speaks of all of it.
    SELECT a.* FROM (SELECT DISTINCT s.run_id FROM seen s WHERE s.kind = 'task.cancelled') r
      JOIN orchestrator_attempt a ON a.task_id >= r.run_id << 20 AND a.task_id < (r.run_id + 1) << 20
     WHERE a.status = 'suspended'
), runs AS MATERIALIZED (
    SELECT r.id, r.workflow_id, r.started_at, coalesce(r.started_by_id, w.owner_id) AS payer
      FROM orchestrator_run r JOIN orchestrator_workflow w ON w.id = r.workflow_id
     WHERE r.id IN (SELECT s.run_id FROM seen s WHERE s.run_id IS NOT NULL UNION SELECT a.task_id >> 20 FROM tries a)
), payers AS (
    SELECT p.payer, (
        SELECT m.group_id FROM auth_user_groups m JOIN auth_group g ON g.id = m.group_id
         WHERE m.user_id = p.payer
           AND (g.name <> ALL (%(roles)s) OR EXISTS (SELECT 1 FROM monitoring_tier i WHERE i.team_id = g.id))
         ORDER BY EXISTS (SELECT 1 FROM monitoring_tier i WHERE i.team_id = g.id) DESC, m.group_id LIMIT 1) AS team
      FROM (SELECT DISTINCT payer FROM runs) p
), efforts AS (
    INSERT INTO monitoring_effort AS f (
        task, number, run, workflow, team, step, agent, version, status, at, queue_ms, work_ms, tokens_in, tokens_out,
        cost, handed, broke, epoch)
    SELECT a.task_id, a.number, t.run_id, t.workflow_id, coalesce(p.team, 0), t.key, coalesce(g.name, ''),
           a.agent_version, a.status, a.ended_at,
           CASE WHEN t.attempt = a.number AND t.ready_at <= a.started_at
                THEN extract(epoch FROM a.started_at - t.ready_at) * 1000 END,
           extract(epoch FROM a.ended_at - a.started_at) * 1000,
           a.tokens_in, a.tokens_out, round(a.cost::numeric, 8),
           t.agent_id IS NOT NULL AND coalesce(s.dependencies, 1) > 0,
           coalesce(a.error ->> 'code', '') IN ('contract_input', 'contract_output'), %(epoch)s
      FROM tries a
      JOIN orchestrator_task t ON t.id = a.task_id
      JOIN runs r ON r.id = t.run_id
      LEFT JOIN payers p ON p.payer = r.payer
      LEFT JOIN agents_agent g ON g.id = t.agent_id
      LEFT JOIN orchestrator_step s ON s.version_id = t.version_id AND s.index = (t.id & 1048575)
    ON CONFLICT (task, number) DO UPDATE
       SET epoch = EXCLUDED.epoch, status = EXCLUDED.status, at = EXCLUDED.at, work_ms = EXCLUDED.work_ms,
           tokens_in = EXCLUDED.tokens_in, tokens_out = EXCLUDED.tokens_out, cost = EXCLUDED.cost,
           handed = EXCLUDED.handed, broke = EXCLUDED.broke, queue_ms = coalesce(f.queue_ms, EXCLUDED.queue_ms)
     WHERE f.epoch < EXCLUDED.epoch
    RETURNING f.*
), ends AS (
    INSERT INTO monitoring_ending AS f (
        event, run, workflow, team, status, at, ms, touched, troubled, mended, tokens, cost, epoch)
    SELECT e.id, r.id, r.workflow_id, coalesce(p.team, 0),
           CASE e.kind WHEN 'run.partly_succeeded' THEN 'partial' ELSE split_part(e.kind, '.', 2) END,
           e.at, greatest(0, extract(epoch FROM e.at - r.started_at) * 1000),
           EXISTS (SELECT 1 FROM orchestrator_event x
                    WHERE x.run_id = r.id AND x.id <= e.id AND x.actor LIKE 'user:%%' AND x.kind <> ALL (%(no_touch)s)),
           coalesce(b.troubled, 0), coalesce(b.mended, 0), coalesce(c.tokens, 0), coalesce(c.cost, 0), %(epoch)s
      FROM seen e
      JOIN runs r ON r.id = e.run_id
      LEFT JOIN payers p ON p.payer = r.payer
      LEFT JOIN LATERAL (
          SELECT max(x.at) AS at FROM orchestrator_event x
           WHERE x.run_id = r.id AND x.id < e.id AND x.kind = ANY (%(ends)s)) before ON true
      LEFT JOIN LATERAL (
          SELECT sum(a.tokens_in + a.tokens_out) AS tokens, sum(round(a.cost::numeric, 8)) AS cost
            FROM orchestrator_attempt a
           WHERE a.task_id >= r.id << 20 AND a.task_id < (r.id + 1) << 20
             AND a.ended_at <= e.at AND a.ended_at > coalesce(before.at, '-infinity')) c ON true
      LEFT JOIN LATERAL (
          SELECT count(*) AS troubled,
                 count(*) FILTER (WHERE h.good > h.bad AND NOT EXISTS (
                     SELECT 1 FROM approvals_gate g WHERE g.task_id = h.task_id AND g.kind = ANY (%(asked)s)
                                                      AND g.opened_at <= e.at)) AS mended
            FROM (SELECT a.task_id, max(a.number) FILTER (WHERE a.status IN ('failed', 'expired')) AS bad,
                         max(a.number) FILTER (WHERE a.status = 'succeeded') AS good
                    FROM orchestrator_attempt a
                   WHERE a.task_id >= r.id << 20 AND a.task_id < (r.id + 1) << 20 AND a.ended_at <= e.at
                   GROUP BY a.task_id) h
           WHERE h.bad IS NOT NULL) b ON true
     WHERE e.kind = ANY (%(ends)s)
    ON CONFLICT (event) DO UPDATE
       SET epoch = EXCLUDED.epoch, status = EXCLUDED.status, ms = EXCLUDED.ms, touched = EXCLUDED.touched,
           troubled = EXCLUDED.troubled, mended = EXCLUDED.mended, tokens = EXCLUDED.tokens, cost = EXCLUDED.cost
     WHERE f.epoch < EXCLUDED.epoch
    RETURNING f.*
), facts AS (
    SELECT f.at, f.workflow, f.team, f.step, f.agent, v.name, v.bucket, v.n, v.total
      FROM efforts f CROSS JOIN LATERAL (VALUES
        (CASE WHEN f.agent <> '' THEN 'try_' || f.status END, -1::smallint, 1, 0::numeric),
        (CASE WHEN f.version IS NOT NULL THEN 'cost' END, -1, 1, f.cost),
        (CASE WHEN f.version IS NULL AND f.cost > 0 THEN 'cost' END, -1, 0, f.cost),
        (CASE WHEN f.tokens_in + f.tokens_out > 0 THEN 'tokens' END, -1, 1, (f.tokens_in + f.tokens_out)::numeric),
        (CASE WHEN f.agent <> '' AND f.queue_ms IS NOT NULL THEN 'queue' END,
            {queue}, 1, round(f.queue_ms::numeric, 3)),
        (CASE WHEN f.agent <> '' AND f.work_ms IS NOT NULL THEN 'work' END,
            {work}, 1, round(f.work_ms::numeric, 3)),
        (CASE WHEN f.handed THEN 'handed' END, -1, 1, 0),
        (CASE WHEN f.handed AND f.broke THEN 'handed_broken' END, -1, 1, 0)
      ) AS v (name, bucket, n, total) WHERE v.name IS NOT NULL
    UNION ALL
    SELECT f.at, f.workflow, f.team, '', '', v.name, v.bucket, v.n, v.total
      FROM ends f CROSS JOIN LATERAL (VALUES
        ('run_' || f.status, -1::smallint, 1, f.cost),
        (CASE WHEN NOT f.touched AND f.status = 'succeeded' THEN 'alone' END, -1, 1, 0::numeric),
        (CASE WHEN f.status IN ('succeeded', 'partial') THEN 'completion' END,
            {completion}, 1, round(f.ms::numeric, 3)),
        (CASE WHEN f.troubled > 0 THEN 'troubled' END, -1, f.troubled, 0),
        (CASE WHEN f.mended > 0 THEN 'mended' END, -1, f.mended, 0)
      ) AS v (name, bucket, n, total) WHERE v.name IS NOT NULL
    UNION ALL
    SELECT s.at, r.workflow_id, coalesce(p.team, 0), '', '', 'run_started', -1, 1, 0
      FROM seen s JOIN runs r ON r.id = s.run_id LEFT JOIN payers p ON p.payer = r.payer WHERE s.kind = 'run.started'
    UNION ALL
    SELECT s.at, g.workflow_id, 0, g.step, g.agent, 'gate_opened', -1, 1, 0
      FROM seen s JOIN approvals_gate g ON g.id = (s.data ->> 'gate')::bigint WHERE s.kind = 'gate.opened'
    UNION ALL
    SELECT s.at, g.workflow_id, 0, g.step, g.agent, v.name, v.bucket, 1, v.total
      FROM seen s JOIN approvals_gate g ON g.id = (s.data ->> 'gate')::bigint
     CROSS JOIN LATERAL (SELECT greatest(0, extract(epoch FROM s.at - g.opened_at) * 1000)::float8 AS ms) w
     CROSS JOIN LATERAL (VALUES
        ('human', {human}, round(w.ms::numeric, 3)),
        (CASE WHEN s.data ->> 'verdict' IN ('edit', 'request_changes', 'reject', 'terminate') THEN 'overridden' END,
            -1::smallint, 0::numeric)
      ) AS v (name, bucket, total) WHERE s.kind = 'gate.decided' AND v.name IS NOT NULL
    UNION ALL
    SELECT s.at, coalesce(r.workflow_id, 0), 0, '', '', replace(s.kind, '.', '_'), -1,
           coalesce((s.data ->> 'count')::int, 1), 0
      FROM seen s LEFT JOIN runs r ON r.id = s.run_id WHERE s.kind LIKE 'message.%%'
), counted AS (
    INSERT INTO monitoring_measure AS m (epoch, grain, name, at, workflow, team, step, agent, bucket, n, total)
    SELECT %(epoch)s, g.grain, f.name, date_trunc(g.unit, f.at, 'UTC'), f.workflow, f.team, f.step, f.agent, f.bucket,
           sum(f.n), sum(f.total)
      FROM facts f CROSS JOIN (VALUES ('h', 'hour'), ('d', 'day')) AS g (grain, unit)
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    ON CONFLICT (epoch, grain, name, at, workflow, team, step, agent, bucket)
    DO UPDATE SET n = m.n + EXCLUDED.n, total = m.total + EXCLUDED.total
    RETURNING 1
)
SELECT (SELECT count(*) FROM efforts), (SELECT count(*) FROM ends), (SELECT count(*) FROM counted)
"""
_MEASURE: Final = _STRETCH.format(
    queue=_BUCKET % "f.queue_ms", work=_BUCKET % "f.work_ms", completion=_BUCKET % "f.ms", human=_BUCKET % "w.ms"
)


def measure(*, after: int, until: int, epoch: int, roles: Sequence[str]) -> tuple[int, int, int]:
    """Count what the ledger says after one position and up to another; tries, ends and rows that this came to."""
    facts: dict[str, int | list[str]] = {
        "after": after, "until": until, "epoch": epoch, "roles": list(roles), "ends": list(RUN_ENDS),
        "no_touch": list(NO_TOUCH), "asked": list(ASKED),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_MEASURE, facts)
        row = cursor.fetchone()
    return row[0], row[1], row[2]


# The dimensions that sums are asked by; each is a column of the rollups.
COLUMNS: Final = ("at", "workflow", "team", "step", "agent", "bucket")
_SUMS: Final = """
SELECT name, {columns}, sum(n)::bigint, sum(total) FROM monitoring_measure
 WHERE epoch = (SELECT c.epoch FROM monitoring_measurecursor c WHERE c.id = 1) AND grain = %(grain)s
   AND name = ANY (%(names)s) AND at >= %(since)s AND at < %(until)s
   AND (%(workflows)s::bigint[] IS NULL OR workflow = ANY (%(workflows)s))
   AND (%(step)s = '' OR step = %(step)s) AND (%(agent)s = '' OR agent = %(agent)s)
 GROUP BY name, {columns}
"""


def sums(  # noqa: PLR0913 - each argument is a part of the question
    names: Sequence[str], *, by: Sequence[str], grain: str, since: datetime, until: datetime,
    workflows: Sequence[int] | None, step: str = "", agent: str = "",
) -> list[tuple[Any, ...]]:  # fmt: skip
    """(name, *by, n, total) of every group, over the hours or days that begin in the span."""
    assert set(by) <= set(COLUMNS), by
    columns = ", ".join(by) if by else "1"
    asked: dict[str, str | datetime | list[str] | list[int] | None] = {
        "grain": grain, "names": list(names), "since": since, "until": until, "step": step, "agent": agent,
        "workflows": None if workflows is None else list(workflows),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_SUMS.format(columns=columns), asked)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows if by else [(row[0], *row[2:]) for row in rows]


def forget(epoch: int) -> None:
    """Drop what belongs to makings of the rollups before this one."""
    with connection.cursor() as cursor:
        for table in ("monitoring_measure", "monitoring_effort", "monitoring_ending"):
            cursor.execute(f"DELETE FROM {table} WHERE epoch < %s", [epoch])  # noqa: S608 - names of ours
