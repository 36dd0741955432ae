-- skip_branches_v1: the steps that settled conditional tasks ruled out. Called with the runs locked, before advancing.
--
-- A ruled-out step is still blocked (it depends on the conditional). It is skipped at once, and its own successors count it as ended.
CREATE FUNCTION skip_branches_v1(p_done bigint[], p_tasks bigint[], p_skips jsonb[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_ruled_out bigint[];
    v_skipped bigint[];
BEGIN
    v_ruled_out := ARRAY(
        SELECT ((g.id >> 20) << 20) | (s.value)::bigint
          FROM unnest(p_tasks, p_skips) AS g (id, skips) CROSS JOIN LATERAL jsonb_array_elements_text(g.skips) AS s (value)
         WHERE g.id = ANY (p_done) AND g.skips IS NOT NULL);
    WITH skipped AS (
        UPDATE orchestrator_task t SET status = 'skipped', ended_at = clock_timestamp()
         WHERE t.id = ANY (v_ruled_out) AND t.status = 'blocked'
        RETURNING t.id, t.run_id
    ), events AS (
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        SELECT s.run_id, s.id, 'task.skipped', 'engine', jsonb_build_object('reason', 'its branch was not taken') FROM skipped s
    )
    SELECT coalesce(array_agg(s.id), '{}') INTO v_skipped FROM skipped s;
    IF cardinality(v_skipped) > 0 THEN
        PERFORM advance_runs_v1(v_skipped, array_fill(false, ARRAY[cardinality(v_skipped)]));
    END IF;
END $$;
