-- make_event_partitions_v1: see that this month and the next p_months have their own partition of the event log.
--
-- Safe to call at any time, by several callers at once. A month whose events already went to the default partition
-- stays there. Runs as the owner so that an application role needs no right to create tables.
CREATE FUNCTION make_event_partitions(p_months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    v_start timestamp;
    v_name text;
    v_made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('orchestrator_event partitions'));
    FOR i IN 0..p_months LOOP
        v_start := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + make_interval(months => i);
        v_name := 'orchestrator_event_' || to_char(v_start, 'YYYY_MM');
        CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
        CONTINUE WHEN EXISTS (
            SELECT FROM orchestrator_event_default
            WHERE at >= v_start AT TIME ZONE 'UTC' AND at < (v_start + interval '1 month') AT TIME ZONE 'UTC');
        EXECUTE format('CREATE TABLE %I PARTITION OF orchestrator_event FOR VALUES FROM (%L) TO (%L)',
            v_name, v_start AT TIME ZONE 'UTC', (v_start + interval '1 month') AT TIME ZONE 'UTC');
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I EXECUTE FUNCTION refuse_change()', v_name);
        v_made := v_made + 1;
    END LOOP;
    RETURN v_made;
END $$;
SELECT make_event_partitions(3);
