-- turn_v1: one round trip of a shift: settle what finished, claim what may start in each lane, wake idle shifts if work is left over.
CREATE FUNCTION turn_v1(
    p_shift bigint, p_tasks bigint[], p_attempts smallint[], p_statuses text[], p_inputs jsonb[], p_outputs jsonb[],
    p_confidences float8[], p_actors text[], p_facts jsonb[], p_skips jsonb[], p_lanes text[], p_limits int[]
)
RETURNS TABLE (id bigint, run_id bigint, version_id bigint, attempt smallint, failures smallint, revision smallint, note text, spec jsonb)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_counts int[] := '{0,0,0}';
    v_claimed int := 0;
    v_rows int;
BEGIN
    IF cardinality(p_tasks) > 0 THEN
        v_counts := settle_tasks_v1(p_shift, p_tasks, p_attempts, p_statuses, p_inputs, p_outputs, p_confidences, p_actors, p_facts, p_skips);
    END IF;
    FOR i IN 1 .. cardinality(p_lanes) LOOP
        RETURN QUERY SELECT * FROM claim_tasks_v1(p_lanes[i], p_shift, p_limits[i]);
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        v_claimed := v_claimed + v_rows;
    END LOOP;
    IF v_claimed > 0 THEN
        -- Passed over while the sweep looks at this shift: it waits for runs that this transaction has locked.
        UPDATE orchestrator_shift SET idle = false
         WHERE id = (SELECT h.id FROM orchestrator_shift h WHERE h.id = p_shift AND h.idle FOR NO KEY UPDATE SKIP LOCKED);
    END IF;
    IF v_counts[2] > v_claimed THEN
        PERFORM wake_idle_v1();
    END IF;
END $$;
