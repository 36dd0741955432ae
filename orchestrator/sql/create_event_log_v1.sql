-- create_event_log_v1: the append-only event log, its sealed order, and what keeps both append-only.
--
-- Identity CACHE 1 and the trigger take_transaction_id are what the sequencer's low-water mark stands on:
-- ids are handed out in order, and whoever holds an id already has a transaction id.
CREATE TABLE orchestrator_event (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    run_id bigint,
    task_id bigint,
    kind text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    data jsonb,
    -- 0x1F separates fields in the bytes that are hashed (event_bytes).
    CONSTRAINT event_has_kind_and_actor CHECK (kind <> '' AND actor <> '' AND position(E'\x1F' IN kind || actor) = 0)
) PARTITION BY RANGE (at);
CREATE INDEX orchestrator_event_run ON orchestrator_event (run_id, id);  -- one run's story
CREATE INDEX orchestrator_event_id ON orchestrator_event (id);  -- sequencer, ledger join
CREATE TABLE orchestrator_event_default PARTITION OF orchestrator_event DEFAULT;

CREATE TABLE orchestrator_ledger (
    pos bigint PRIMARY KEY,
    event_id bigint NOT NULL UNIQUE,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT ledger_hashes_are_sha256 CHECK (octet_length(prev_hash) = 32 AND octet_length(hash) = 32)
);

-- Below `low` no event can appear any more. A hint for the next leader, not evidence: find_unsealed() checks it.
CREATE TABLE orchestrator_ledger_mark (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),  -- one row
    low bigint NOT NULL DEFAULT 0
);
INSERT INTO orchestrator_ledger_mark DEFAULT VALUES;
REVOKE ALL ON orchestrator_event, orchestrator_ledger, orchestrator_ledger_mark FROM PUBLIC;
