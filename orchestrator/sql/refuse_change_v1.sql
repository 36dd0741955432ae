-- refuse_change_v1: trigger function of every append-only table (event, ledger, decision).
--
-- Raises OR090 for UPDATE, DELETE and TRUNCATE, whoever asks: a role that owns the table passes its privileges.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are evidence and are only ever added', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'OR090', HINT = 'Record a new fact that corrects the old one.';
END $$;

-- Makes a table append-only; a migration calls it once per table: SELECT make_append_only('approvals_decision').
CREATE FUNCTION make_append_only(p_table regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION refuse_change()', p_table);
    EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %s EXECUTE FUNCTION refuse_change()', p_table);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM PUBLIC', p_table);
END $$;
