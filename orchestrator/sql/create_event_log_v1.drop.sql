DROP TABLE orchestrator_ledger_mark;
DROP TABLE orchestrator_ledger;
DROP TABLE orchestrator_event;
