-- fire_retries_v1: make tasks ready whose retry is due by the database's clock. Returns how many timers were due.
--
-- Lock order: runs, then timers, as a cancel takes them; a timer fired by somebody else meanwhile is left alone.
CREATE FUNCTION fire_retries_v1(p_limit int) RETURNS int
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_timers bigint[];
    v_tasks bigint[];
BEGIN
    SELECT coalesce(array_agg(d.id), '{}'), coalesce(array_agg(d.ref), '{}') INTO v_timers, v_tasks
      FROM (SELECT m.id, m.ref FROM orchestrator_timer m
             WHERE m.fired_at IS NULL AND m.kind = 'task_retry' AND m.due_at <= clock_timestamp()
             ORDER BY m.due_at LIMIT p_limit) d;
    IF v_timers = '{}' THEN
        RETURN 0;
    END IF;
    PERFORM 1 FROM orchestrator_run r
      WHERE r.id = ANY (ARRAY(SELECT DISTINCT x >> 20 FROM unnest(v_tasks) AS x)) ORDER BY r.id FOR NO KEY UPDATE;
    WITH fired AS (
        UPDATE orchestrator_timer m SET fired_at = clock_timestamp()
         WHERE m.id = ANY (v_timers) AND m.fired_at IS NULL
        RETURNING m.ref
    )
    SELECT coalesce(array_agg(f.ref), '{}') INTO v_tasks FROM fired f;
    UPDATE orchestrator_task t
       SET status = 'ready', wait_for = '', ready_at = clock_timestamp(),
           agent_id = CASE WHEN t.spec ? 'chosen' THEN NULL ELSE t.agent_id END, limited = t.limited AND (t.spec ? 'chosen') IS NOT true,
           held = (SELECT r.status = 'paused' FROM orchestrator_run r WHERE r.id = t.run_id)
     WHERE t.id = ANY (v_tasks) AND starts_with(t.status, 'waiting') AND t.wait_for = 'retry';
    PERFORM wake_idle_v1();
    RETURN cardinality(v_timers);
END $$;
