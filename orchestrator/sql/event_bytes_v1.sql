-- event_bytes_v1: the bytes of an event that the ledger hashes. docs/verify_export.py builds the same from an export.
--
-- Fields joined by 0x1F, which none of them can contain: id, run, task, kind, microseconds since 1970, actor, data.
-- An absent value is empty. The result never changes for a stored event, or every chain would break.
CREATE FUNCTION event_bytes(p_id bigint, p_run bigint, p_task bigint, p_kind text, p_at timestamptz, p_actor text, p_data jsonb)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT convert_to(
        p_id::text || E'\x1F' || coalesce(p_run::text, '') || E'\x1F' || coalesce(p_task::text, '') || E'\x1F' || p_kind || E'\x1F'
        || (extract(epoch FROM p_at) * 1000000)::bigint::text || E'\x1F' || p_actor || E'\x1F' || coalesce(p_data::text, ''),
        'UTF8')
$$;
