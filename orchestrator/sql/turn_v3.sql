-- turn_v3: turn_v2 with settle_one_v2.
CREATE FUNCTION turn_v3(
    p_shift bigint, p_tasks bigint[], p_attempts smallint[], p_statuses text[], p_inputs jsonb[], p_outputs jsonb[],
    p_confidences float8[], p_actors text[], p_facts jsonb[], p_skips jsonb[], p_lanes text[], p_limits int[]
)
RETURNS TABLE (id bigint, run_id bigint, version_id bigint, attempt smallint, failures smallint, revision smallint, note text, spec jsonb)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_counts int[];
    v_one record;
    v_claimed int := 0;
BEGIN
    IF cardinality(p_tasks) = 1 AND p_statuses[1] = 'succeeded' AND p_skips[1] IS NULL THEN
        v_one := settle_one_v2(
            p_shift, p_tasks[1], p_attempts[1], p_inputs[1], p_outputs[1], p_confidences[1], p_actors[1], p_facts[1], p_lanes);
        IF v_one.settled THEN
            v_counts := ARRAY[1, v_one.ready, 0];
        END IF;
        IF v_one.begun THEN
            id := v_one.id;
            run_id := p_tasks[1] >> 20;
            version_id := v_one.version_id;
            attempt := v_one.attempt;
            failures := v_one.failures;
            revision := v_one.revision;
            note := v_one.note;
            spec := v_one.spec;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    IF cardinality(p_tasks) > 0 AND v_counts IS NULL THEN
        v_counts := settle_tasks_v1(p_shift, p_tasks, p_attempts, p_statuses, p_inputs, p_outputs, p_confidences, p_actors, p_facts, p_skips);
    END IF;
    IF cardinality(p_lanes) > 0 THEN
        RETURN QUERY SELECT * FROM claim_lanes_v1(p_shift, p_lanes, p_limits);
        GET DIAGNOSTICS v_claimed = ROW_COUNT;
    END IF;
    IF v_counts[2] > v_claimed THEN
        PERFORM wake_idle_v1();
    END IF;
END $$;
