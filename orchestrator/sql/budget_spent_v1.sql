-- budget_spent_v1: what a run, or one agent in it, has used so far, from its attempts. A call without a stated number of
-- documents counts as one.
CREATE FUNCTION budget_spent_v1(p_run bigint, p_resource text, p_agent bigint) RETURNS float8
LANGUAGE sql STABLE AS $$
    SELECT coalesce(CASE p_resource
                WHEN 'tokens' THEN sum(a.tokens_in + a.tokens_out)::float8
                WHEN 'cost' THEN sum(a.cost)
                WHEN 'minutes' THEN sum(extract(epoch FROM a.ended_at - a.started_at) / 60)::float8
                ELSE count(*)::float8 END, 0)
      FROM orchestrator_attempt a JOIN orchestrator_task t ON t.id = a.task_id
     WHERE a.task_id >= p_run << 20 AND a.task_id < (p_run + 1) << 20 AND t.agent_id IS NOT NULL
       AND (p_agent IS NULL OR t.agent_id = p_agent)
       AND coalesce(a.error ->> 'code', '') NOT IN ('budget', 'authority', 'no_agent')
$$;
