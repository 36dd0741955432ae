-- release_tasks_v1: give running tasks back unjudged: a stop, a cancelled wait, a shift that drains. Returns how many.
CREATE FUNCTION release_tasks_v1(p_shift bigint, p_tasks bigint[], p_attempts smallint[], p_reason text) RETURNS int
LANGUAGE plpgsql SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
DECLARE
    v_count int;
BEGIN
    PERFORM 1 FROM orchestrator_run r
      WHERE r.id = ANY (ARRAY(SELECT DISTINCT x >> 20 FROM unnest(p_tasks) AS x)) ORDER BY r.id FOR NO KEY UPDATE;
    WITH given AS (
        SELECT * FROM unnest(p_tasks, p_attempts) AS g (id, attempt)
    ), released AS (
        UPDATE orchestrator_task t SET status = 'ready', shift = NULL, ready_at = clock_timestamp(),
               -- An agent that was chosen, not named, is chosen anew.
               agent_id = CASE WHEN t.spec ? 'chosen' THEN NULL ELSE t.agent_id END, limited = t.limited AND (t.spec ? 'chosen') IS NOT true,
               held = (SELECT r.status = 'paused' FROM orchestrator_run r WHERE r.id = t.run_id)
          FROM given g
         -- starts_with, not =: the planner must go by id, never by the index of running tasks (n squared).
         WHERE t.id = ANY (p_tasks) AND t.id = g.id AND t.attempt = g.attempt AND starts_with(t.status, 'running') AND t.shift = p_shift
        RETURNING t.id, t.run_id, t.attempt, t.started_at, t.lane
    ), attempts AS (
        INSERT INTO orchestrator_attempt (task_id, number, status, shift, started_at, ended_at, tokens_in, tokens_out, cost, error)
        SELECT x.id, x.attempt, 'suspended', p_shift, x.started_at, clock_timestamp(), 0, 0, 0, jsonb_build_object('code', p_reason)
          FROM released x
    ), events AS (
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        SELECT x.run_id, x.id, 'task.released', 'shift:' || p_shift, jsonb_build_object('attempt', x.attempt, 'reason', p_reason)
          FROM released x
    )
    SELECT count(*) INTO v_count FROM released;
    PERFORM settle_budgets_v1(p_tasks, p_attempts, array_fill(NULL::jsonb, ARRAY[cardinality(p_tasks)]));
    PERFORM wake_idle_v1();
    RETURN v_count;
END $$;
