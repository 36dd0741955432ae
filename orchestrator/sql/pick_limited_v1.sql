-- pick_limited_v1: ready tasks that may not simply be taken: of agents with limits, and suspects. Returns locked task ids.
--
-- The agent's row is locked (or passed over, if another claim holds it), so two claims cannot both see the last free place.
-- A suspect has seen two workers die; a shift runs one suspect at a time, so that the next death names the culprit.
CREATE FUNCTION pick_limited_v1(p_lane text, p_shift bigint, p_limit int, p_workflows bigint[], p_agents bigint[],
                                p_runs bigint[], p_tasks bigint[])
RETURNS bigint[]
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_agent record;
    v_room int;
    v_tokens float8;
    v_ids bigint[];
    v_picked bigint[] := '{}';
    v_open bigint[] := '{}';  -- agents with limits that have a place left for a suspect
BEGIN
    FOR v_agent IN
        SELECT a.id, a.max_concurrency, a.rate_per_minute FROM agents_agent a
         WHERE a.max_concurrency IS NOT NULL OR a.rate_per_minute IS NOT NULL ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        CONTINUE WHEN v_agent.id = ANY (p_agents) OR cardinality(v_picked) >= p_limit;
        v_room := p_limit - cardinality(v_picked);
        IF v_agent.max_concurrency IS NOT NULL THEN
            v_room := least(v_room, v_agent.max_concurrency - (
                SELECT count(*)::int FROM orchestrator_task t WHERE t.status = 'running' AND t.agent_id = v_agent.id));
        END IF;
        IF v_agent.rate_per_minute IS NOT NULL THEN
            INSERT INTO orchestrator_agentrate AS r (agent_id, tokens, filled_at)
            VALUES (v_agent.id, v_agent.rate_per_minute, clock_timestamp())
            ON CONFLICT (agent_id) DO UPDATE SET filled_at = clock_timestamp(), tokens = least(
                v_agent.rate_per_minute,
                r.tokens + extract(epoch FROM clock_timestamp() - r.filled_at) * v_agent.rate_per_minute / 60.0)
            RETURNING r.tokens INTO v_tokens;
            v_room := least(v_room, floor(v_tokens)::int);
        END IF;
        CONTINUE WHEN v_room <= 0;
        v_ids := ARRAY(
            SELECT t.id FROM orchestrator_task t
             WHERE t.status = 'ready' AND NOT t.held AND t.limited AND NOT t.suspect AND t.lane = p_lane
               AND t.agent_id = v_agent.id AND t.workflow_id <> ALL (p_workflows)
               AND t.run_id <> ALL (p_runs) AND t.id <> ALL (p_tasks)
             ORDER BY t.priority DESC, t.virtual_start, t.id LIMIT v_room FOR UPDATE SKIP LOCKED);
        UPDATE orchestrator_agentrate SET tokens = tokens - cardinality(v_ids) WHERE agent_id = v_agent.id AND cardinality(v_ids) > 0;
        v_picked := v_picked || v_ids;
        IF v_room > cardinality(v_ids) THEN
            v_open := v_open || v_agent.id;
        END IF;
    END LOOP;

    IF cardinality(v_picked) < p_limit
       AND NOT EXISTS (SELECT 1 FROM orchestrator_task t WHERE t.status = 'running' AND t.shift = p_shift AND t.suspect) THEN
        v_ids := ARRAY(
            SELECT t.id FROM orchestrator_task t
             WHERE t.status = 'ready' AND NOT t.held AND t.suspect AND t.lane = p_lane
               AND t.workflow_id <> ALL (p_workflows) AND (t.agent_id IS NULL OR t.agent_id <> ALL (p_agents))
               AND t.run_id <> ALL (p_runs) AND t.id <> ALL (p_tasks)
               AND (NOT t.limited OR t.agent_id = ANY (v_open))
             ORDER BY t.priority DESC, t.virtual_start, t.id LIMIT 1 FOR UPDATE SKIP LOCKED);
        UPDATE orchestrator_agentrate SET tokens = tokens - 1
         WHERE agent_id = (SELECT t.agent_id FROM orchestrator_task t WHERE t.id = v_ids[1]);
        v_picked := v_picked || v_ids;
    END IF;
    RETURN v_picked;
END $$;
