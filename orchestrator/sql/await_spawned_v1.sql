-- await_spawned_v1: a running task waits for the tasks that add_spawned_v1 has written, as for dependencies.
--
-- The caller holds the run's lock and has fenced the task. p_need is the parent's join rule (-1: all have ended, however).
CREATE FUNCTION await_spawned_v1(
    p_task bigint, p_first int, p_count int, p_after jsonb[], p_need int, p_state jsonb, p_facts jsonb
) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_attempt smallint;
    v_finish bigint;
    v_edges jsonb;
BEGIN
    UPDATE orchestrator_task
       SET status = 'blocked', pending = p_count, fed = 0, need = p_need, shift = NULL,
           state = p_state || jsonb_build_object('first', p_first), ready_at = NULL
     WHERE id = p_task RETURNING attempt INTO v_attempt;
    SELECT t.virtual_start INTO v_finish FROM orchestrator_task t WHERE t.id = (p_task >> 20 << 20) | (p_first + p_count - 1);
    UPDATE orchestrator_run
       SET total = total + p_count, remaining = remaining + p_count,
           virtual_finish = greatest(virtual_finish, v_finish)
     WHERE id = p_task >> 20;

    SELECT coalesce(jsonb_object_agg((x.place - 1)::text, x.after), '{}') INTO v_edges
      FROM unnest(p_after) WITH ORDINALITY AS x (after, place) WHERE x.after <> '[]';
    INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
    VALUES (p_task >> 20, p_task, 'task.spawned', 'engine', p_facts || jsonb_build_object(
        'attempt', v_attempt, 'first', p_first, 'count', p_count, 'need', p_need)
        || CASE WHEN v_edges = '{}' THEN '{}'::jsonb ELSE jsonb_build_object('after', v_edges) END);
    PERFORM wake_idle_v1();
END $$;
