-- reserve_budgets_v1: hold what a call may use of every budget that it falls under, or of none and say which one refuses.
--
-- 1. Fence: only the attempt that stands may hold anything. The share lock keeps whoever would take the task away out until then.
-- 2. Budgets that the plan states for the run (p_caps) come to be with their first call, with what was used before it.
-- 3. All budgets are locked in id order and looked at before anything is held. Lock order: run -> task -> gate -> budget.
-- p_needs maps resources to what the call may use at most, null where nobody knows; such a call takes all that is left and
-- runs alone. The last call before a limit may do so too, hence calls side by side overspend by one call at most. Calls and
-- documents are counted before the call and never overspent.
-- Returns {"granted": true}, {"gone": true}, or the budget that refuses, with "hard" where waiting for other calls cannot help.
CREATE FUNCTION reserve_budgets_v1(
    p_task bigint, p_attempt smallint, p_shift bigint, p_agent text, p_named boolean, p_needs jsonb, p_caps jsonb
) RETURNS jsonb
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_run bigint := p_task >> 20;
    v_workflow bigint;
    v_agent bigint := (SELECT a.id FROM agents_agent a WHERE a.name = p_agent);
    v_budget record;
    v_need float8;
    v_free float8;
    v_ids bigint[] := '{}';
    v_amounts float8[] := '{}';
BEGIN
    SELECT t.workflow_id INTO v_workflow FROM orchestrator_task t
     WHERE t.id = p_task AND t.attempt = p_attempt AND t.shift = p_shift AND starts_with(t.status, 'running') FOR SHARE;
    IF NOT FOUND THEN
        RETURN '{"gone": true}';
    END IF;

    INSERT INTO orchestrator_budget (scope, ref, agent_id, resource, "limit", spent, reserved)
    SELECT c.scope, v_run, CASE WHEN c.own THEN v_agent END, c.resource, c."limit",
           budget_spent_v1(v_run, c.resource, CASE WHEN c.scope = 'run_agent' AND c.own THEN v_agent END), 0
      FROM jsonb_to_recordset(p_caps) AS c (scope text, own boolean, resource text, "limit" float8)
     WHERE NOT EXISTS (
           SELECT 1 FROM orchestrator_budget b
            WHERE b.scope = c.scope AND b.ref = v_run AND b.resource = c.resource
              AND b.agent_id IS NOT DISTINCT FROM CASE WHEN c.own THEN v_agent END)
    ON CONFLICT DO NOTHING;

    FOR v_budget IN
        SELECT b.id, b.scope, b.ref, b.agent_id, b.resource, b."limit", b.spent, b.reserved
          FROM orchestrator_budget b
         WHERE b.scope = 'run' AND b.ref = v_run
            OR b.scope = 'run_agent' AND b.ref = v_run AND (b.agent_id = v_agent OR b.agent_id IS NULL AND NOT p_named)
            OR b.scope = 'agent' AND b.ref = v_agent
            OR b.scope = 'workflow' AND b.ref = v_workflow
            OR b.scope = 'team' AND b.ref IN (
               SELECT g.group_id FROM auth_user_groups g WHERE g.user_id = coalesce(
                      (SELECT r.started_by_id FROM orchestrator_run r WHERE r.id = v_run),
                      (SELECT w.owner_id FROM orchestrator_workflow w WHERE w.id = v_workflow)))
         ORDER BY b.id FOR NO KEY UPDATE
    LOOP
        v_need := (p_needs ->> v_budget.resource)::float8;
        v_free := v_budget."limit" - v_budget.spent - v_budget.reserved;
        IF v_need IS DISTINCT FROM 0 THEN
            IF v_budget.spent >= v_budget."limit"
               OR v_budget.resource IN ('calls', 'documents') AND v_budget.spent + v_need > v_budget."limit" THEN
                RETURN to_jsonb(v_budget) || jsonb_build_object('hard', true, 'need', v_need);
            ELSIF v_need IS NULL OR v_need > v_free THEN
                IF v_budget.reserved > 0 OR v_budget.resource IN ('calls', 'documents') THEN
                    RETURN to_jsonb(v_budget) || jsonb_build_object('hard', false, 'need', v_need);
                END IF;
                v_need := v_free;
            END IF;
        END IF;
        v_ids := v_ids || v_budget.id;
        v_amounts := v_amounts || v_need;
    END LOOP;

    INSERT INTO orchestrator_reservation (budget_id, task, attempt, amount)
    SELECT x.id, p_task, p_attempt, x.amount FROM unnest(v_ids, v_amounts) AS x (id, amount);
    UPDATE orchestrator_budget b SET reserved = b.reserved + x.amount
      FROM unnest(v_ids, v_amounts) AS x (id, amount) WHERE b.id = x.id AND x.amount > 0;
    RETURN '{"granted": true}';
END $$;
