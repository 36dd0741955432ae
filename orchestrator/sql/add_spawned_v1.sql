-- add_spawned_v1: write the rows of tasks that a running task is about to start. Returns the first one's index.
--
-- Nobody sees them before the transaction commits, so the caller may hold the run's lock or not; if not, it locks the run
-- afterwards and goes on only if the run and the task are as they were read here. Each spawned task has its parent among
-- its successors, so that whoever ends the last one makes the parent ready by the ordinary advance. p_after[i] lists, as a
-- JSON array, the positions in this spawn that must end before task i.
CREATE FUNCTION add_spawned_v1(
    p_task bigint, p_keys text[], p_kinds text[], p_agents text[], p_lanes text[], p_specs jsonb[], p_after jsonb[],
    p_needs int[]
) RETURNS int
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_run orchestrator_run;
    v_parent orchestrator_task;
    v_clock bigint;
BEGIN
    SELECT * INTO v_run FROM orchestrator_run WHERE id = p_task >> 20;
    SELECT * INTO v_parent FROM orchestrator_task WHERE id = p_task;
    IF v_run.total + cardinality(p_keys) > 1048575 THEN
        RAISE EXCEPTION 'run % would have more than 1,048,575 tasks', v_run.id USING ERRCODE = 'program_limit_exceeded';
    END IF;
    SELECT max(l.clock) INTO v_clock FROM orchestrator_lane l WHERE l.name = ANY (p_lanes);
    v_clock := greatest(v_clock, v_run.virtual_finish);

    WITH given AS (
        SELECT * FROM unnest(p_keys, p_kinds, p_agents, p_lanes, p_specs, p_after, p_needs)
            WITH ORDINALITY AS g (key, kind, agent, lane, spec, after, need, place)
    ), edges AS (
        SELECT (a.value)::int AS before, array_agg(v_run.total + g.place::int - 1 ORDER BY g.place) AS successors
          FROM given g CROSS JOIN LATERAL jsonb_array_elements_text(g.after) AS a (value)
         WHERE g.after <> '[]' GROUP BY 1
    )
    INSERT INTO orchestrator_task (
        id, run_id, workflow_id, version_id, key, kind, agent_id, status, lane, priority, virtual_start, held, limited,
        suspect, pending, fed, need, successors, parent, spec, attempt, failures, losses, revision, wait_for, note, ready_at)
    SELECT (v_run.id << 20) | (v_run.total + g.place - 1), v_run.id, v_run.workflow_id, v_run.version_id, g.key, g.kind, a.id,
           CASE WHEN g.after = '[]' THEN 'ready' ELSE 'blocked' END, g.lane, v_parent.priority,
           v_clock + g.place * 1000 / v_run.weight, v_run.status = 'paused',
           a.max_concurrency IS NOT NULL OR a.rate_per_minute IS NOT NULL, false,
           jsonb_array_length(g.after), (g.after = '[]')::int, g.need,
           coalesce(e.successors, '{}') || (p_task & 1048575)::int, p_task, g.spec, 0, 0, 0, 0, '', '',
           CASE WHEN g.after = '[]' THEN clock_timestamp() END
      FROM given g LEFT JOIN agents_agent a ON a.name = g.agent LEFT JOIN edges e ON e.before = g.place - 1;
    RETURN v_run.total;
END $$;
