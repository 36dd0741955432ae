-- take_place_v1: whether an agent with limits has a place for one more call now; if so, of its rate one is taken.
--
-- The agent's row is locked until the caller, who writes the agent into its running task, commits: as in pick_limited_v1 no two
-- see the same last place.
CREATE FUNCTION take_place_v1(p_agent bigint) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_most int;
    v_rate int;
    v_tokens float8;
BEGIN
    SELECT a.max_concurrency, a.rate_per_minute INTO v_most, v_rate FROM agents_agent a WHERE a.id = p_agent FOR NO KEY UPDATE;
    IF v_most <= (SELECT count(*) FROM orchestrator_task t WHERE t.status = 'running' AND t.agent_id = p_agent) THEN
        RETURN false;
    END IF;
    IF v_rate IS NOT NULL THEN
        INSERT INTO orchestrator_agentrate AS r (agent_id, tokens, filled_at)
        VALUES (p_agent, v_rate, clock_timestamp())
        ON CONFLICT (agent_id) DO UPDATE SET filled_at = clock_timestamp(), tokens = least(
            v_rate, r.tokens + extract(epoch FROM clock_timestamp() - r.filled_at) * v_rate / 60.0)
        RETURNING r.tokens INTO v_tokens;
        IF v_tokens < 1 THEN
            RETURN false;
        END IF;
        UPDATE orchestrator_agentrate SET tokens = tokens - 1 WHERE agent_id = p_agent;
    END IF;
    RETURN true;
END $$;
