-- copy_tasks_v1: a new run's tasks that another run has done already. The caller advances the run afterwards.
--
-- The run has just been started in this transaction, so nobody else sees it. p_status is `succeeded` or `skipped`; a copied
-- task has made no attempt of its own (attempt 0), and its event names where it comes from.
CREATE FUNCTION copy_tasks_v1(p_run bigint, p_from bigint[], p_to int[], p_statuses text[]) RETURNS int
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_count int;
BEGIN
    WITH given AS (
        SELECT * FROM unnest(p_from, p_to, p_statuses) AS g (source, place, status)
    ), copied AS (
        UPDATE orchestrator_task t
           SET status = g.status, input = s.input, output = s.output, confidence = s.confidence,
               ready_at = NULL, ended_at = clock_timestamp()
          FROM given g JOIN orchestrator_task s ON s.id = g.source
         WHERE t.id = (p_run << 20) | g.place
        RETURNING t.id, t.status, g.source
    ), events AS (
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        SELECT p_run, c.id, 'task.copied', 'engine', jsonb_build_object('status', c.status, 'run', c.source >> 20, 'task', c.source)
          FROM copied c ORDER BY c.id
    )
    SELECT count(*) INTO v_count FROM copied;
    RETURN v_count;
END $$;
