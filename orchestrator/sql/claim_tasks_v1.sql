-- claim_tasks_v1: lease up to p_limit ready tasks of a lane to a shift, highest priority and fairest first.
--
-- 0. Nothing ready in the lane: nothing to do, and no lock to take.
-- 1. A shared lock that a stop takes exclusively: the next statement's snapshot then sees every stop in force, so no
--    claim commits after a stop has.
--    Agents out of service (circuit breakers) count as stopped, except for the one task that tries each again.
-- 2. A shift that the sweep has ended gets nothing.
-- 3. Tasks of limited agents and suspects are claimed one by one; all others in one statement that waits for nobody.
CREATE FUNCTION claim_tasks_v1(p_lane text, p_shift bigint, p_limit int)
RETURNS TABLE (id bigint, run_id bigint, version_id bigint, attempt smallint, failures smallint, revision smallint, note text, spec jsonb)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off SET enable_bitmapscan = off SET enable_sort = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_special boolean := EXISTS (
        SELECT 1 FROM orchestrator_task t WHERE t.lane = p_lane AND t.status = 'ready' AND NOT t.held AND (t.limited OR t.suspect));
    v_everything boolean;
    v_workflows bigint[];
    v_agents bigint[];
    v_runs bigint[];
    v_tasks bigint[];
    v_guarded bigint[];
    v_probes bigint[];
    v_open boolean;
    v_ids bigint[] := '{}';
BEGIN
    IF NOT v_special AND NOT EXISTS (
        SELECT 1 FROM orchestrator_task t
         WHERE t.lane = p_lane AND t.status = 'ready' AND NOT t.held AND NOT t.limited AND NOT t.suspect) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(7301, 1);
    SELECT coalesce(bool_or(s.scope = 'everything'), false),
           coalesce(array_agg(s.ref) FILTER (WHERE s.scope = 'workflow'), '{}'),
           coalesce(array_agg(s.ref) FILTER (WHERE s.scope = 'agent'), '{}'),
           coalesce(array_agg(s.ref) FILTER (WHERE s.scope = 'run'), '{}'),
           coalesce(array_agg(s.ref) FILTER (WHERE s.scope = 'task'), '{}'),
           (SELECT coalesce(array_agg(b.agent_id), '{}') FROM orchestrator_breaker b WHERE b.state <> 'closed'),
           (SELECT coalesce(array_agg(b.probe), '{}') FROM orchestrator_breaker b WHERE b.state = 'half_open' AND b.probe IS NOT NULL),
           EXISTS (SELECT 1 FROM orchestrator_shift h WHERE h.id = p_shift AND h.ended_at IS NULL)
      INTO v_everything, v_workflows, v_agents, v_runs, v_tasks, v_guarded, v_probes, v_open
      FROM orchestrator_stop s WHERE s.lifted_at IS NULL;
    IF v_everything OR NOT v_open THEN
        RETURN;
    END IF;
    IF v_probes <> '{}' THEN
        v_ids := ARRAY(
            SELECT t.id FROM orchestrator_task t
             WHERE t.id = ANY (v_probes) AND t.status = 'ready' AND NOT t.held AND t.lane = p_lane
               AND t.workflow_id <> ALL (v_workflows) AND t.agent_id <> ALL (v_agents)
               AND t.run_id <> ALL (v_runs) AND t.id <> ALL (v_tasks)
             LIMIT p_limit FOR UPDATE SKIP LOCKED);
    END IF;
    v_agents := v_agents || v_guarded;
    IF v_special THEN
        v_ids := v_ids || pick_limited_v1(p_lane, p_shift, p_limit - cardinality(v_ids), v_workflows, v_agents, v_runs, v_tasks);
    END IF;

    v_ids := v_ids || ARRAY(
        SELECT t.id FROM orchestrator_task t
         WHERE t.status = 'ready' AND NOT t.held AND NOT t.limited AND NOT t.suspect AND t.lane = p_lane
           AND t.workflow_id <> ALL (v_workflows) AND (t.agent_id IS NULL OR t.agent_id <> ALL (v_agents))
           AND t.run_id <> ALL (v_runs) AND t.id <> ALL (v_tasks)
         ORDER BY t.priority DESC, t.virtual_start, t.id
         LIMIT p_limit - cardinality(v_ids)
         FOR UPDATE SKIP LOCKED);
    IF v_ids = '{}' THEN
        RETURN;
    END IF;

    RETURN QUERY
    WITH claimed AS (
        UPDATE orchestrator_task t
           SET status = 'running', attempt = t.attempt + 1, shift = p_shift, started_at = clock_timestamp()
         WHERE t.id = ANY (v_ids)
        RETURNING t.id, t.run_id, t.version_id, t.attempt, t.failures, t.revision, t.note, t.spec, t.virtual_start
    ), events AS (
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        SELECT c.run_id, c.id, 'task.started', 'shift:' || p_shift, jsonb_build_object('attempt', c.attempt) FROM claimed c
    ), clock AS (
        -- Whoever else is moving the clock right now moves it well enough.
        UPDATE orchestrator_lane l SET clock = m.virtual_start
          FROM (SELECT max(c.virtual_start) AS virtual_start FROM claimed c) m
         WHERE l.name = (SELECT n.name FROM orchestrator_lane n WHERE n.name = p_lane FOR UPDATE SKIP LOCKED)
           AND l.clock < m.virtual_start
    )
    SELECT c.id, c.run_id, c.version_id, c.attempt, c.failures, c.revision, c.note, c.spec FROM claimed c;
END $$;
