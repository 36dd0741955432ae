-- settle_tasks_v1: end a batch of attempts that succeeded or skipped. Returns {settled, ready, refused}.
--
-- 1. Lock the runs in id order: every writer that holds more than one lock takes runs first.
-- 2. Fence: only the attempt the task row names, still running under this shift, may write (a stalled worker that
--    lost its lease must not overwrite its successor).
-- 3. The same attempt settling again (its first commit was reported as an error) counts as success; a late one is
--    kept on its attempt row and never applied.
-- The plan is pinned for growing tables, as in advance_runs_v1.
-- p_skips[i] lists the steps, as a JSON array of indexes, that a conditional task ruled out.
CREATE FUNCTION settle_tasks_v1(
    p_shift bigint, p_tasks bigint[], p_attempts smallint[], p_statuses text[], p_inputs jsonb[], p_outputs jsonb[],
    p_confidences float8[], p_actors text[], p_facts jsonb[], p_skips jsonb[]
) RETURNS int[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_done bigint[];
    v_agents bigint[];
    v_feeds boolean[];
    v_ready int := 0;
    v_refused int := 0;
BEGIN
    PERFORM 1 FROM orchestrator_run r
      WHERE r.id = ANY (ARRAY(SELECT DISTINCT x >> 20 FROM unnest(p_tasks) AS x)) ORDER BY r.id FOR NO KEY UPDATE;

    WITH given AS (
        SELECT * FROM unnest(p_tasks, p_attempts, p_statuses, p_inputs, p_outputs, p_confidences, p_actors, p_facts)
            AS g (id, attempt, status, input, output, confidence, actor, facts)
    ), done AS (
        UPDATE orchestrator_task t
           SET status = g.status, ended_at = clock_timestamp(), input = g.input, output = g.output,
               confidence = g.confidence, error = NULL
          FROM given g
         -- starts_with, not =: the planner must go by id, never by the index of running tasks (n squared).
         WHERE t.id = ANY (p_tasks) AND t.id = g.id AND t.attempt = g.attempt AND starts_with(t.status, 'running') AND t.shift = p_shift
        RETURNING t.id, t.run_id, t.status, t.agent_id, t.attempt, t.started_at, t.ended_at, g.actor, g.facts
    ), attempts AS (
        INSERT INTO orchestrator_attempt (
            task_id, number, status, shift, agent_version, started_at, ended_at, tokens_in, tokens_out, cost)
        SELECT d.id, d.attempt, 'succeeded', p_shift, (d.facts ->> 'version')::int, d.started_at, d.ended_at,
               coalesce((d.facts ->> 'tokens_in')::int, 0), coalesce((d.facts ->> 'tokens_out')::int, 0),
               coalesce((d.facts ->> 'cost')::float8, 0)
          FROM done d
    ), events AS (
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        SELECT d.run_id, d.id, CASE d.status WHEN 'succeeded' THEN 'task.succeeded' ELSE 'task.skipped' END, d.actor,
               coalesce(d.facts, '{}') || jsonb_build_object('attempt', d.attempt)
          FROM done d
    )
    SELECT coalesce(array_agg(d.id), '{}'), coalesce(array_agg(d.status = 'succeeded'), '{}'),
           array_agg(DISTINCT d.agent_id) FILTER (WHERE d.status = 'succeeded' AND d.agent_id IS NOT NULL)
      INTO v_done, v_feeds, v_agents FROM done d;

    IF cardinality(v_done) < cardinality(p_tasks) THEN
        v_refused := keep_late_results_v1(p_shift, p_tasks, p_attempts, p_outputs, v_done);
    END IF;
    IF EXISTS (SELECT 1 FROM orchestrator_breaker b WHERE b.failures > 0 OR b.state <> 'closed') AND v_agents IS NOT NULL THEN
        PERFORM close_breakers_v1(v_done, v_agents);
    END IF;
    IF array_remove(p_skips, NULL) <> '{}' THEN
        PERFORM skip_branches_v1(v_done, p_tasks, p_skips);
    END IF;
    IF cardinality(v_done) > 0 THEN
        v_ready := advance_runs_v1(v_done, v_feeds);
    END IF;
    -- Calls that fell under a budget say what they used; nearly none do, and then no table is looked at.
    IF EXISTS (SELECT 1 FROM unnest(p_facts) AS f WHERE f ? 'used') THEN
        PERFORM settle_budgets_v1(p_tasks, p_attempts, ARRAY(SELECT f -> 'used' FROM unnest(p_facts) WITH ORDINALITY AS x (f, n) ORDER BY n));
    END IF;
    RETURN ARRAY[cardinality(v_done), v_ready, v_refused];
END $$;
