-- finish_waits_v1: what waiting tasks waited for has come: they succeed with these outputs. Returns the tasks that did.
--
-- 1. Lock the runs in id order. Whoever ends such a wait in another way (cancel, deadline, a person) holds that lock too.
-- 2. Only a task that still waits for just this, and whose timer (where one is named) has not fired, ends: of two sweepers
--    the second finds nothing to do.
-- 3. What belonged to the wait ends with it: its row, its timers.
-- p_timers[i] is the timer that woke task i, or null.
CREATE FUNCTION finish_waits_v1(
    p_wait_for text, p_tasks bigint[], p_timers bigint[], p_outputs jsonb[], p_facts jsonb[], p_actor text
) RETURNS bigint[]
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_done bigint[];
BEGIN
    PERFORM 1 FROM orchestrator_run r
      WHERE r.id = ANY (ARRAY(SELECT DISTINCT x >> 20 FROM unnest(p_tasks) AS x)) ORDER BY r.id FOR NO KEY UPDATE;
    WITH given AS (
        SELECT * FROM unnest(p_tasks, p_timers, p_outputs, p_facts) AS g (id, timer, output, facts)
    ), done AS (
        UPDATE orchestrator_task t
           SET status = 'succeeded', wait_for = '', ended_at = clock_timestamp(), output = g.output, error = NULL
          FROM given g
         WHERE t.id = ANY (p_tasks) AND t.id = g.id AND starts_with(t.status, 'waiting') AND t.wait_for = p_wait_for
           AND (g.timer IS NULL OR EXISTS (SELECT 1 FROM orchestrator_timer m WHERE m.id = g.timer AND m.fired_at IS NULL))
        RETURNING t.id, t.run_id, t.attempt, g.facts
    ), waits AS (
        UPDATE orchestrator_wait w SET ended_at = clock_timestamp() FROM done d WHERE w.task_id = d.id AND w.ended_at IS NULL
    ), timers AS (
        UPDATE orchestrator_timer m SET fired_at = clock_timestamp() FROM done d
         WHERE m.ref = d.id AND m.fired_at IS NULL AND m.kind IN ('task_timer', 'wait_deadline', 'wait_opened')
    ), events AS (
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        SELECT d.run_id, d.id, 'task.succeeded', p_actor, coalesce(d.facts, '{}') || jsonb_build_object('attempt', d.attempt)
          FROM done d
    )
    SELECT coalesce(array_agg(d.id), '{}') INTO v_done FROM done d;
    IF v_done <> '{}' AND advance_runs_v1(v_done, array_fill(true, ARRAY[cardinality(v_done)])) > 0 THEN
        PERFORM wake_idle_v1();
    END IF;
    RETURN v_done;
END $$;
