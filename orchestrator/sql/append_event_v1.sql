-- append_event_v1: one fact, in the caller's transaction. Returns the event's id (not its place in the ledger).
CREATE FUNCTION append_event(p_kind text, p_actor text, p_run_id bigint, p_task_id bigint, p_data jsonb) RETURNS bigint
LANGUAGE sql AS $$
    INSERT INTO orchestrator_event (kind, actor, run_id, task_id, data)
    VALUES (p_kind, p_actor, p_run_id, p_task_id, p_data)
    RETURNING id
$$;
