-- open_waits_v1: running tasks begin to wait for a time or a signal, many in one statement. Returns how many did.
--
-- A late attempt (fence: task, attempt, shift) changes nothing. p_waits[i] is {"for": "timer", "after": seconds or "at":
-- moment}, or {"for": "event", "after": the deadline's seconds, "name", "key", "match", "schema"}. Whether the signal is
-- there already is looked for once this has committed (timer wait_opened): who sends one commits first and looks after,
-- so one of the two sees the other.
CREATE FUNCTION open_waits_v1(p_shift bigint, p_tasks bigint[], p_attempts smallint[], p_waits jsonb[]) RETURNS int
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_count int;
    v_now timestamptz;
BEGIN
    PERFORM 1 FROM orchestrator_run r
      WHERE r.id = ANY (ARRAY(SELECT DISTINCT x >> 20 FROM unnest(p_tasks) AS x)) ORDER BY r.id FOR NO KEY UPDATE;
    v_now := clock_timestamp();
    WITH given AS (
        SELECT g.id, g.attempt, g.wait,
               CASE WHEN g.wait ? 'at' THEN greatest((g.wait ->> 'at')::timestamptz, v_now)
                    ELSE v_now + make_interval(secs => (g.wait ->> 'after')::float8) END AS due
          FROM unnest(p_tasks, p_attempts, p_waits) AS g (id, attempt, wait)
    ), held AS (
        UPDATE orchestrator_task t SET status = 'waiting', wait_for = g.wait ->> 'for'
          FROM given g
         -- starts_with, not =: the planner must go by id, never by the index of running tasks (n squared).
         WHERE t.id = ANY (p_tasks) AND t.id = g.id AND t.attempt = g.attempt AND starts_with(t.status, 'running') AND t.shift = p_shift
        RETURNING t.id, t.run_id, t.attempt, t.started_at, g.wait, g.due
    ), attempts AS (
        INSERT INTO orchestrator_attempt (task_id, number, status, shift, started_at, ended_at, tokens_in, tokens_out, cost)
        SELECT h.id, h.attempt, 'suspended', p_shift, h.started_at, v_now, 0, 0, 0 FROM held h
    ), timers AS (
        INSERT INTO orchestrator_timer (kind, ref, due_at)
        SELECT CASE h.wait ->> 'for' WHEN 'timer' THEN 'task_timer' ELSE 'wait_deadline' END, h.id, h.due FROM held h
        UNION ALL SELECT 'wait_opened', h.id, v_now FROM held h WHERE h.wait ->> 'for' = 'event'
    ), waits AS (
        INSERT INTO orchestrator_wait (task_id, kind, name, key, match, schema, token_hash, opened_at)
        SELECT h.id, 'event', h.wait ->> 'name', h.wait ->> 'key', h.wait ->> 'match', h.wait -> 'schema', '', v_now
          FROM held h WHERE h.wait ->> 'for' = 'event'
        ON CONFLICT (task_id) DO UPDATE
           SET kind = excluded.kind, name = excluded.name, key = excluded.key, match = excluded.match,
               schema = excluded.schema, token_hash = '', opened_at = excluded.opened_at, ended_at = NULL
    ), events AS (
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        SELECT h.run_id, h.id, 'task.waiting', 'engine', jsonb_strip_nulls(jsonb_build_object(
                   'attempt', h.attempt, 'for', h.wait ->> 'for', 'until', h.due,
                   'signal', h.wait ->> 'name', 'key', nullif(h.wait ->> 'key', '')))
          FROM held h
    )
    SELECT count(*) INTO v_count FROM held;
    IF EXISTS (SELECT 1 FROM unnest(p_waits) AS w WHERE w ->> 'for' = 'event') THEN
        PERFORM pg_notify('wk_timers', '');
    END IF;
    RETURN v_count;
END $$;
