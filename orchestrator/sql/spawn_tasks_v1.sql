-- spawn_tasks_v1: a running task starts others of its run and waits for them as for dependencies. Returns the first one's index.
--
-- The caller holds the run's lock and has fenced the task. Each spawned task has its parent among its successors, so that
-- whoever ends the last one makes the parent ready by the ordinary advance. p_after[i] lists, as a JSON array, the
-- positions in this spawn that must end before task i; p_need is the parent's join rule (-1: all have ended, however).
CREATE FUNCTION spawn_tasks_v1(
    p_task bigint, p_keys text[], p_kinds text[], p_agents text[], p_lanes text[], p_specs jsonb[], p_after jsonb[],
    p_needs int[], p_need int, p_state jsonb, p_facts jsonb
) RETURNS int
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_run orchestrator_run;
    v_parent orchestrator_task;
    v_first int;
    v_count int := cardinality(p_keys);
    v_clock bigint;
    v_edges jsonb := '{}';
BEGIN
    SELECT * INTO v_run FROM orchestrator_run WHERE id = p_task >> 20;
    SELECT * INTO v_parent FROM orchestrator_task WHERE id = p_task;
    v_first := v_run.total;
    IF v_first + v_count > 1048575 THEN
        RAISE EXCEPTION 'run % would have more than 1,048,575 tasks', v_run.id USING ERRCODE = 'program_limit_exceeded';
    END IF;
    INSERT INTO orchestrator_lane (name, clock) SELECT DISTINCT x, 0 FROM unnest(p_lanes) AS x ON CONFLICT DO NOTHING;
    SELECT max(l.clock) INTO v_clock FROM orchestrator_lane l WHERE l.name = ANY (p_lanes);
    v_clock := greatest(v_clock, v_run.virtual_finish);

    PERFORM pg_advisory_xact_lock_shared(7301, 4);  -- whoever changes an agent's limits commits before they are read
    WITH given AS (
        SELECT * FROM unnest(p_keys, p_kinds, p_agents, p_lanes, p_specs, p_after, p_needs)
            WITH ORDINALITY AS g (key, kind, agent, lane, spec, after, need, place)
    ), edges AS (
        SELECT (a.value)::int AS before, array_agg(v_first + g.place::int - 1 ORDER BY g.place) AS successors
          FROM given g CROSS JOIN LATERAL jsonb_array_elements_text(g.after) AS a (value)
         WHERE g.after <> '[]' GROUP BY 1
    )
    INSERT INTO orchestrator_task (
        id, run_id, workflow_id, version_id, key, kind, agent_id, status, lane, priority, virtual_start, held, limited,
        suspect, pending, fed, need, successors, parent, spec, attempt, failures, losses, revision, wait_for, note, ready_at)
    SELECT (v_run.id << 20) | (v_first + g.place - 1), v_run.id, v_run.workflow_id, v_run.version_id, g.key, g.kind, a.id,
           CASE WHEN g.after = '[]' THEN 'ready' ELSE 'blocked' END, g.lane, v_parent.priority,
           v_clock + g.place * 1000 / v_run.weight, v_run.status = 'paused',
           a.max_concurrency IS NOT NULL OR a.rate_per_minute IS NOT NULL, false,
           jsonb_array_length(g.after), (g.after = '[]')::int, g.need,
           coalesce(e.successors, '{}') || (p_task & 1048575)::int, p_task, g.spec, 0, 0, 0, 0, '', '',
           CASE WHEN g.after = '[]' THEN clock_timestamp() END
      FROM given g LEFT JOIN agents_agent a ON a.name = g.agent LEFT JOIN edges e ON e.before = g.place - 1;

    UPDATE orchestrator_task
       SET status = 'blocked', pending = v_count, fed = 0, need = p_need, shift = NULL,
           state = p_state || jsonb_build_object('first', v_first), ready_at = NULL
     WHERE id = p_task;
    UPDATE orchestrator_run
       SET total = total + v_count, remaining = remaining + v_count,
           virtual_finish = greatest(virtual_finish, v_clock + v_count * 1000 / weight)
     WHERE id = v_run.id;

    SELECT coalesce(jsonb_object_agg((x.place - 1)::text, x.after), '{}') INTO v_edges
      FROM unnest(p_after) WITH ORDINALITY AS x (after, place) WHERE x.after <> '[]';
    INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
    VALUES (v_run.id, p_task, 'task.spawned', 'engine', p_facts || jsonb_build_object(
        'attempt', v_parent.attempt, 'first', v_first, 'count', v_count, 'need', p_need)
        || CASE WHEN v_edges = '{}' THEN '{}'::jsonb ELSE jsonb_build_object('after', v_edges) END);
    PERFORM wake_idle_v1();
    RETURN v_first;
END $$;
