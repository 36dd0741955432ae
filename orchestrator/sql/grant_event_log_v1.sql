-- grant_event_log_v1: what a role that does not own the tables needs of the event log, and nothing that changes a row.
--
-- For installations whose web and worker processes connect as a role without ownership: SELECT grant_event_log('app').
CREATE FUNCTION grant_event_log(p_role name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('REVOKE ALL ON orchestrator_event, orchestrator_ledger FROM %I', p_role);
    EXECUTE format('GRANT SELECT, INSERT ON orchestrator_event, orchestrator_ledger TO %I', p_role);
    EXECUTE format('GRANT SELECT, UPDATE ON orchestrator_ledger_mark TO %I', p_role);
    EXECUTE format('GRANT SELECT ON SEQUENCE orchestrator_event_id_seq TO %I', p_role);
END $$;
