-- make_event_month_v1: see that the month of a moment has its own partition of the event log, however long ago it was.
--
-- For logs that are brought in from elsewhere; the months ahead are make_event_partitions'. False: it has one already, or
-- events of that month lie in the default partition and stay there. Runs as the owner, as that one does.
CREATE FUNCTION make_event_month(p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    v_start timestamp := date_trunc('month', p_at AT TIME ZONE 'UTC');
    v_name text := 'orchestrator_event_' || to_char(v_start, 'YYYY_MM');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('orchestrator_event partitions'));
    IF to_regclass(v_name) IS NOT NULL OR EXISTS (
        SELECT FROM orchestrator_event_default
        WHERE at >= v_start AT TIME ZONE 'UTC' AND at < (v_start + interval '1 month') AT TIME ZONE 'UTC') THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF orchestrator_event FOR VALUES FROM (%L) TO (%L)',
        v_name, v_start AT TIME ZONE 'UTC', (v_start + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I EXECUTE FUNCTION refuse_change()', v_name);
    RETURN true;
END $$;
