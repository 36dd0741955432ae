-- ledger_chain: the running hash, SHA-256(previous hash || bytes of the event), as a window aggregate.
CREATE FUNCTION ledger_link(p_state bytea, p_start bytea, p_body bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$ SELECT sha256(coalesce(p_state, p_start) || p_body) $$;
CREATE AGGREGATE ledger_chain(p_start bytea, p_body bytea) (SFUNC = ledger_link, STYPE = bytea);

-- seal_events_v1: append visible events to the ledger in id order. Called by the sequencer that holds the leader's lock.
--
-- Reads what lies above p_head and, in the same snapshot, the ids below it that were not visible so far (p_missing): what
-- was committed before an event was begun is sealed before it. is_past: no transaction up to p_mark is running any more,
-- judged before reading, so an id handed out before p_mark and still not found will never appear.
CREATE FUNCTION seal_events(p_head bigint, p_missing bigint[], p_limit integer, p_mark xid8)
RETURNS TABLE (is_past boolean, last_pos bigint, event_ids bigint[])
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_pos bigint;
    v_prev bytea;
BEGIN
    is_past := coalesce(pg_snapshot_xmin(pg_current_snapshot()) > p_mark, false);
    SELECT pos, hash INTO v_pos, v_prev FROM orchestrator_ledger ORDER BY pos DESC LIMIT 1;
    IF NOT FOUND THEN
        v_pos := 0;
        v_prev := decode(repeat('00', 32), 'hex');
    END IF;
    WITH found AS (
        SELECT e.id, event_bytes(e.id, e.run_id, e.task_id, e.kind, e.at, e.actor, e.data) AS body
        FROM orchestrator_event e WHERE e.id = ANY (p_missing)
        UNION ALL (
            SELECT e.id, event_bytes(e.id, e.run_id, e.task_id, e.kind, e.at, e.actor, e.data)
            FROM orchestrator_event e WHERE e.id > p_head ORDER BY e.id LIMIT p_limit)
        ORDER BY id LIMIT p_limit
    ), chained AS (
        SELECT id, row_number() OVER (ORDER BY id) AS n, ledger_chain(v_prev, body) OVER (ORDER BY id) AS hash FROM found
    ), sealed AS (
        INSERT INTO orchestrator_ledger (pos, event_id, prev_hash, hash)
        SELECT v_pos + n, id, lag(hash, 1, v_prev) OVER (ORDER BY id), hash FROM chained
        RETURNING pos, event_id
    )
    SELECT max(pos), array_agg(event_id ORDER BY event_id) INTO last_pos, event_ids FROM sealed;
    IF last_pos IS NOT NULL THEN
        PERFORM pg_notify('wk_ledger', last_pos::text);
    END IF;
    RETURN NEXT;
END $$;
