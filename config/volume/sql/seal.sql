-- Seals the events of one stretch of ids after the ledger's end, as `seal_events` does. For the ledger's leader alone.
WITH last AS (
    SELECT coalesce(max(pos), 0) AS pos,
           coalesce((SELECT hash FROM orchestrator_ledger ORDER BY pos DESC LIMIT 1), decode(repeat('00', 32), 'hex')) AS hash
      FROM orchestrator_ledger
), found AS (
    SELECT e.id, event_bytes(e.id, e.run_id, e.task_id, e.kind, e.at, e.actor, e.data) AS body
      FROM orchestrator_event e WHERE e.id >= %(first)s AND e.id < %(end)s
), chained AS (
    SELECT f.id, row_number() OVER (ORDER BY f.id) AS n,
           ledger_chain((SELECT hash FROM last), f.body) OVER (ORDER BY f.id) AS hash
      FROM found f
)
INSERT INTO orchestrator_ledger (pos, event_id, prev_hash, hash)
SELECT (SELECT pos FROM last) + n, id, lag(hash, 1, (SELECT hash FROM last)) OVER (ORDER BY id), hash
  FROM chained
 ORDER BY n
