DROP TRIGGER take_transaction_id ON orchestrator_event;
DROP FUNCTION take_transaction_id;
DROP TRIGGER refuse_truncate ON orchestrator_event_default;
DROP TRIGGER refuse_truncate ON orchestrator_ledger;
DROP TRIGGER refuse_change ON orchestrator_ledger;
DROP TRIGGER refuse_truncate ON orchestrator_event;
DROP TRIGGER refuse_change ON orchestrator_event;
