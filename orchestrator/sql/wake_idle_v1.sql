-- wake_idle_v1: ring idle shifts, if there are any.
--
-- A shift marks itself idle, then looks once more, then sleeps; so either this sees the mark or the shift sees the task.
-- NOTIFY serialises commits (DESIGN 3.15), hence only when somebody sleeps.
CREATE FUNCTION wake_idle_v1() RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM orchestrator_shift WHERE ended_at IS NULL AND idle) THEN
        PERFORM pg_notify('wk_ready', '');
    END IF;
END $$;
