-- settle_budgets_v1: the ends of calls: what they held goes back, what they used is spent. Nothing to do for calls that held nothing.
--
-- p_used[i] maps resources to what attempt i has used; where it is not known (its worker died, it was stopped) the call counts and
-- nothing else. The caller holds the runs' and tasks' locks; budgets come last, in id order.
-- Says once that four fifths of a budget are spent. Tasks of the same run that wait for a budget go on as far as it now reaches;
-- those of other runs are the upkeep's, for their runs are not locked here.
CREATE FUNCTION settle_budgets_v1(p_tasks bigint[], p_attempts smallint[], p_used jsonb[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_budget record;
    v_ids bigint[];
BEGIN
    v_ids := ARRAY(SELECT DISTINCT r.budget_id FROM orchestrator_reservation r
                     JOIN unnest(p_tasks, p_attempts) AS g (task, attempt) ON g.task = r.task AND g.attempt = r.attempt
                    WHERE r.task = ANY (p_tasks));
    IF v_ids = '{}' THEN
        RETURN;
    END IF;
    PERFORM 1 FROM orchestrator_budget b WHERE b.id = ANY (v_ids) ORDER BY b.id FOR NO KEY UPDATE;
    WITH ended AS (
        DELETE FROM orchestrator_reservation r USING unnest(p_tasks, p_attempts, p_used) AS g (task, attempt, used)
         WHERE r.task = ANY (p_tasks) AND r.task = g.task AND r.attempt = g.attempt
        RETURNING r.budget_id, r.amount, g.used
    ), sums AS (
        SELECT e.budget_id, sum(e.amount) AS amount,
               sum(coalesce((e.used ->> b.resource)::float8, (b.resource = 'calls')::int)) AS used,
               bool_and(b.warned_at IS NULL) AS fresh
          FROM ended e JOIN orchestrator_budget b ON b.id = e.budget_id GROUP BY 1
    ), settled AS (
        UPDATE orchestrator_budget b
           SET spent = b.spent + s.used,
               reserved = CASE WHEN b.reserved - s.amount < 1e-9 THEN 0 ELSE b.reserved - s.amount END,
               warned_at = CASE WHEN b.spent + s.used > 0.8 * b."limit" THEN coalesce(b.warned_at, clock_timestamp()) END
          FROM sums s WHERE b.id = s.budget_id
        RETURNING b.*, s.fresh
    )
    INSERT INTO orchestrator_event (run_id, kind, actor, data)
    SELECT CASE WHEN s.scope IN ('run', 'run_agent') THEN s.ref END, 'budget.warned', 'engine', jsonb_build_object(
           'budget', s.id, 'scope', s.scope, 'ref', s.ref, 'resource', s.resource, 'limit', s."limit", 'spent', s.spent,
           'agent', (SELECT a.name FROM agents_agent a WHERE a.id = s.agent_id))
      FROM settled s WHERE s.spent > 0.8 * s."limit" AND s.fresh;

    FOR v_budget IN
        SELECT b.* FROM orchestrator_budget b
         WHERE b.id = ANY (v_ids) AND b.scope IN ('run', 'run_agent') AND (b.spent < b."limit" OR b.reserved = 0) ORDER BY b.id
    LOOP
        PERFORM release_budget_v1(
            v_budget.id, v_budget.ref, v_budget."limit" - v_budget.spent - v_budget.reserved, v_budget.reserved = 0);
    END LOOP;
END $$;
