-- write_state_v1: one more version of a key of a run's state, and its event. Returns what came of it.
--
-- The caller holds the run's lock, so versions follow each other without a gap and one writer wins each of them.
-- p_expected: the version that the writer has seen (0: none); NULL: whichever there is. `stale`: it has seen another
-- than the newest, which is returned with its writer. `again`: this task has written that very value as the next version
-- already (its first answer was lost, or it runs again), so nothing is written twice.
-- The event holds the digest of the stored text, not the text: values can be large, and replay still proves every byte.
CREATE FUNCTION write_state_v1(
    p_run bigint, p_key text, p_expected int, p_value jsonb, p_deleted boolean, p_writer text, p_task bigint, p_reason text
) RETURNS TABLE (outcome text, version int, writer text)
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    v_last orchestrator_stateentry;
    v_same orchestrator_stateentry;
    v_next int;
BEGIN
    SELECT * INTO v_last FROM orchestrator_stateentry e
     WHERE e.run_id = p_run AND e.key = p_key ORDER BY e.version DESC LIMIT 1;
    v_next := coalesce(v_last.version, 0) + 1;
    SELECT * INTO v_same FROM orchestrator_stateentry e
     WHERE e.run_id = p_run AND e.key = p_key AND e.version = coalesce(p_expected + 1, v_last.version);
    IF v_same.task = p_task AND v_same.value IS NOT DISTINCT FROM p_value AND v_same.deleted = p_deleted THEN
        RETURN QUERY SELECT 'again', v_same.version, v_same.writer::text;
        RETURN;
    END IF;
    IF p_expected <> v_next - 1 THEN
        RETURN QUERY SELECT 'stale', v_next - 1, coalesce(v_last.writer::text, '');
        RETURN;
    END IF;
    INSERT INTO orchestrator_stateentry (run_id, key, version, value, deleted, writer, task, reason, written_at)
    VALUES (p_run, p_key, v_next, p_value, p_deleted, p_writer, p_task, p_reason, clock_timestamp());
    INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
    VALUES (p_run, p_task, 'state.written', p_writer, jsonb_build_object(
        'key', p_key, 'version', v_next, 'sha256', encode(sha256(convert_to(p_value::text, 'UTF8')), 'hex'))
        || CASE WHEN p_deleted THEN '{"deleted": true}'::jsonb ELSE '{}'::jsonb END
        || CASE WHEN p_reason <> '' THEN jsonb_build_object('reason', left(p_reason, 1000)) ELSE '{}'::jsonb END);
    RETURN QUERY SELECT 'written', v_next, p_writer;
END $$;
