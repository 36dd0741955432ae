DROP FUNCTION seal_events;
DROP AGGREGATE ledger_chain(bytea, bytea);
DROP FUNCTION ledger_link;
