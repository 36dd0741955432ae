-- claim_lanes_v1: claim_tasks_v1 for each lane in turn, with one look at what stops claims instead of one a lane.
--
-- 0. Nothing ready in any lane: nothing to do, and no lock to take.
-- 1. A shared lock that a stop takes exclusively: the next statement's snapshot then sees every stop in force, so no
--    claim commits after a stop has.
--    Agents out of service (circuit breakers) count as stopped, except for the one task that tries each again.
-- 2. A shift that the sweep has ended gets nothing.
-- 3. Tasks of limited agents and suspects are claimed one by one; all others in one statement that waits for nobody.
CREATE FUNCTION claim_lanes_v1(p_shift bigint, p_lanes text[], p_limits int[])
RETURNS TABLE (id bigint, run_id bigint, version_id bigint, attempt smallint, failures smallint, revision smallint, note text, spec jsonb)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off SET enable_bitmapscan = off SET enable_sort = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_plain boolean;
    v_special boolean;
    v_specials boolean[] := '{}';
    v_any boolean := false;
    v_clear boolean;
    v_open boolean;
    v_idle boolean;
    v_everything boolean := false;
    v_workflows bigint[] := '{}';
    v_agents bigint[] := '{}';
    v_runs bigint[] := '{}';
    v_tasks bigint[] := '{}';
    v_guarded bigint[] := '{}';
    v_probes bigint[] := '{}';
    v_ids bigint[];
    v_claimed boolean := false;
BEGIN
    FOR i IN 1 .. cardinality(p_lanes) LOOP
        SELECT EXISTS (SELECT 1 FROM orchestrator_task t
                        WHERE t.lane = p_lanes[i] AND t.status = 'ready' AND NOT t.held AND NOT t.limited AND NOT t.suspect),
               EXISTS (SELECT 1 FROM orchestrator_task t
                        WHERE t.lane = p_lanes[i] AND t.status = 'ready' AND NOT t.held AND (t.limited OR t.suspect))
          INTO v_plain, v_special;
        v_specials[i] := CASE WHEN v_plain OR v_special THEN v_special END;  -- null: nothing there
        v_any := v_any OR v_plain OR v_special;
    END LOOP;
    IF NOT v_any THEN
        RETURN;
    END IF;

    PERFORM pg_advisory_xact_lock_shared(7301, 1);
    SELECT NOT EXISTS (SELECT 1 FROM orchestrator_stop s WHERE s.lifted_at IS NULL)
           AND NOT EXISTS (SELECT 1 FROM orchestrator_breaker b WHERE b.state <> 'closed'), h.ended_at IS NULL, h.idle
      INTO v_clear, v_open, v_idle
      FROM orchestrator_shift h WHERE h.id = p_shift;
    IF NOT coalesce(v_open, false) THEN
        RETURN;
    END IF;
    IF NOT v_clear THEN
        SELECT coalesce(bool_or(s.scope = 'everything'), false),
               coalesce(array_agg(s.ref) FILTER (WHERE s.scope = 'workflow'), '{}'),
               coalesce(array_agg(s.ref) FILTER (WHERE s.scope = 'agent'), '{}'),
               coalesce(array_agg(s.ref) FILTER (WHERE s.scope = 'run'), '{}'),
               coalesce(array_agg(s.ref) FILTER (WHERE s.scope = 'task'), '{}'),
               (SELECT coalesce(array_agg(b.agent_id), '{}') FROM orchestrator_breaker b WHERE b.state <> 'closed'),
               (SELECT coalesce(array_agg(b.probe), '{}') FROM orchestrator_breaker b WHERE b.state = 'half_open' AND b.probe IS NOT NULL)
          INTO v_everything, v_workflows, v_agents, v_runs, v_tasks, v_guarded, v_probes
          FROM orchestrator_stop s WHERE s.lifted_at IS NULL;
        IF v_everything THEN
            RETURN;
        END IF;
    END IF;

    FOR i IN 1 .. cardinality(p_lanes) LOOP
        CONTINUE WHEN v_specials[i] IS NULL;
        v_ids := '{}';
        IF v_probes <> '{}' THEN
            v_ids := ARRAY(
                SELECT t.id FROM orchestrator_task t
                 WHERE t.id = ANY (v_probes) AND t.status = 'ready' AND NOT t.held AND t.lane = p_lanes[i]
                   AND t.workflow_id <> ALL (v_workflows) AND t.agent_id <> ALL (v_agents)
                   AND t.run_id <> ALL (v_runs) AND t.id <> ALL (v_tasks)
                 LIMIT p_limits[i] FOR UPDATE SKIP LOCKED);
        END IF;
        IF v_specials[i] THEN
            v_ids := v_ids || pick_limited_v1(
                p_lanes[i], p_shift, p_limits[i] - cardinality(v_ids), v_workflows, v_agents || v_guarded, v_runs, v_tasks);
        END IF;
        v_ids := v_ids || ARRAY(
            SELECT t.id FROM orchestrator_task t
             WHERE t.status = 'ready' AND NOT t.held AND NOT t.limited AND NOT t.suspect AND t.lane = p_lanes[i]
               AND t.workflow_id <> ALL (v_workflows) AND (t.agent_id IS NULL OR t.agent_id <> ALL (v_agents || v_guarded))
               AND t.run_id <> ALL (v_runs) AND t.id <> ALL (v_tasks)
             ORDER BY t.priority DESC, t.virtual_start, t.id
             LIMIT p_limits[i] - cardinality(v_ids)
             FOR UPDATE SKIP LOCKED);
        CONTINUE WHEN v_ids = '{}';
        v_claimed := true;
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
             WHERE l.name = (SELECT n.name FROM orchestrator_lane n WHERE n.name = p_lanes[i] FOR UPDATE SKIP LOCKED)
               AND l.clock < m.virtual_start
        )
        SELECT c.id, c.run_id, c.version_id, c.attempt, c.failures, c.revision, c.note, c.spec FROM claimed c;
    END LOOP;

    IF v_claimed AND v_idle THEN
        -- Passed over while the sweep looks at this shift: it waits for runs that this transaction has locked.
        UPDATE orchestrator_shift SET idle = false
         WHERE id = (SELECT h.id FROM orchestrator_shift h WHERE h.id = p_shift AND h.idle FOR NO KEY UPDATE SKIP LOCKED);
    END IF;
END $$;
