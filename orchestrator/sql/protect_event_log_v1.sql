-- protect_event_log_v1: append-only triggers, and the trigger behind the low-water mark.
SELECT make_append_only('orchestrator_event'), make_append_only('orchestrator_ledger');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON orchestrator_event_default EXECUTE FUNCTION refuse_change();

-- INSERT takes its id from the sequence before it takes a transaction id. A writer caught between the two holds an id
-- that the sequencer believes dead, and its event would never be sealed. So every INSERT takes the transaction id first.
CREATE FUNCTION take_transaction_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_current_xact_id();
    RETURN NULL;
END $$;
CREATE TRIGGER take_transaction_id BEFORE INSERT ON orchestrator_event EXECUTE FUNCTION take_transaction_id();
