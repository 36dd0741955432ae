-- start_run_v1: one run and all its tasks from the version's steps, the roots ready. Returns the run's id.
--
-- Start-time fair queueing: a ready task's virtual start is max(the lane's clock, the run's last finish) plus its turn,
-- in units of 1000 / weight, so that a large run cannot starve a small one.
CREATE FUNCTION start_run_v1(
    p_workflow bigint, p_version bigint, p_title text, p_input jsonb, p_user bigint, p_key text,
    p_correlation text, p_priority smallint, p_weight smallint, p_actor text
) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_run bigint;
    v_steps int;
    v_roots int;
    v_clock bigint;
    v_lanes text[];
BEGIN
    SELECT count(*), count(*) FILTER (WHERE s.dependencies = 0), array_agg(DISTINCT s.lane)
      INTO v_steps, v_roots, v_lanes
      FROM orchestrator_step s WHERE s.version_id = p_version;
    INSERT INTO orchestrator_lane (name, clock) SELECT x, 0 FROM unnest(v_lanes) AS x ON CONFLICT DO NOTHING;
    SELECT max(l.clock) INTO v_clock FROM orchestrator_lane l WHERE l.name = ANY (v_lanes);

    INSERT INTO orchestrator_run (
        workflow_id, version_id, title, status, input, started_by_id, idempotency_key, correlation_id,
        priority, weight, virtual_finish, total, remaining, failed, started_at)
    VALUES (
        p_workflow, p_version, p_title, 'running', p_input, p_user, p_key, p_correlation,
        p_priority, p_weight, v_clock + v_roots * 1000 / p_weight, v_steps, v_steps, 0, clock_timestamp())
    RETURNING id INTO v_run;

    INSERT INTO orchestrator_event (run_id, kind, actor, data)
    VALUES (v_run, 'run.started', p_actor, jsonb_build_object('workflow', p_workflow, 'version', p_version, 'tasks', v_steps));

    PERFORM pg_advisory_xact_lock_shared(7301, 4);  -- whoever changes an agent's limits commits before they are read
    INSERT INTO orchestrator_task (
        id, run_id, workflow_id, version_id, key, kind, agent_id, status, lane, priority, virtual_start, held, limited,
        suspect, pending, fed, need, successors, attempt, failures, losses, revision, wait_for, note, ready_at)
    SELECT (v_run << 20) | s.index, v_run, p_workflow, p_version, s.key, s.kind, s.agent_id,
           CASE WHEN s.dependencies = 0 THEN 'ready' ELSE 'blocked' END,
           s.lane, p_priority,
           v_clock + (row_number() OVER (ORDER BY s.index)) * 1000 / p_weight,
           false, a.max_concurrency IS NOT NULL OR a.rate_per_minute IS NOT NULL,
           false, s.dependencies, (s.dependencies = 0)::int, s.need, s.successors, 0, 0, 0, 0, '', '',
           CASE WHEN s.dependencies = 0 THEN clock_timestamp() END
      FROM orchestrator_step s LEFT JOIN agents_agent a ON a.id = s.agent_id
     WHERE s.version_id = p_version;

    PERFORM wake_idle_v1();
    RETURN v_run;
END $$;
