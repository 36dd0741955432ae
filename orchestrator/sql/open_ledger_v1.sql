-- open_ledger_v1: where a new leader goes on: the last sealed event and the ids below it that are not sealed.
CREATE FUNCTION open_ledger() RETURNS TABLE (low bigint, head bigint, missing bigint[])
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    SELECT m.low INTO low FROM orchestrator_ledger_mark m;
    SELECT greatest(low, coalesce(max(event_id), 0)) INTO head FROM orchestrator_ledger;
    SELECT coalesce(array_agg(g.id), '{}') INTO missing
    FROM generate_series(low + 1, head) AS g (id)
    WHERE NOT EXISTS (SELECT FROM orchestrator_ledger l WHERE l.event_id = g.id);
    RETURN NEXT;
END $$;

-- Every id up to `high` belongs to a transaction up to `mark`: the id is read first, and an INSERT takes its
-- transaction id before its event id.
CREATE FUNCTION open_low_water_mark() RETURNS TABLE (high bigint, mark xid8) LANGUAGE plpgsql AS $$
BEGIN
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO high FROM orchestrator_event_id_seq;
    mark := pg_current_xact_id();
    RETURN NEXT;
END $$;

CREATE FUNCTION raise_low_water_mark(p_low bigint) RETURNS void
LANGUAGE sql AS $$ UPDATE orchestrator_ledger_mark SET low = p_low WHERE low < p_low $$;

-- Events that no reader will ever see: below the mark and not sealed. The nightly tripwire; always empty.
CREATE FUNCTION find_unsealed() RETURNS TABLE (event_id bigint, kind text, at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT e.id, e.kind, e.at
    FROM orchestrator_event e
    WHERE e.id <= (SELECT low FROM orchestrator_ledger_mark)
      AND NOT EXISTS (SELECT FROM orchestrator_ledger l WHERE l.event_id = e.id)
    ORDER BY e.id
$$;
