-- close_breakers_v1: these tasks' agents have just worked: forget failures in a row, and close the breaker whose probe this was.
--
-- The caller holds the locks of the tasks' runs. An agent that works on while its breaker is open (a call that began before)
-- does not close it: that is the probe's to say.
CREATE FUNCTION close_breakers_v1(p_tasks bigint[], p_agents bigint[]) RETURNS void
LANGUAGE sql AS $$
    WITH found AS (
        SELECT b.agent_id, b.state FROM orchestrator_breaker b
         WHERE b.agent_id = ANY (p_agents)
           AND (b.state = 'closed' AND b.failures > 0 OR b.state = 'half_open' AND b.probe = ANY (p_tasks))
         ORDER BY b.agent_id FOR UPDATE
    ), closed AS (
        UPDATE orchestrator_breaker b
           SET state = 'closed', failures = 0, probe = NULL, opened_at = NULL, changed_at = clock_timestamp()
          FROM found f WHERE b.agent_id = f.agent_id
        RETURNING b.agent_id, f.state
    )
    INSERT INTO orchestrator_event (kind, actor, data)
    SELECT 'breaker.closed', 'engine', jsonb_build_object('agent', a.name)
      FROM closed c JOIN agents_agent a ON a.id = c.agent_id WHERE c.state = 'half_open'
$$;
