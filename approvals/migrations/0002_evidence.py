"""Decisions are evidence: the database refuses to change one, and refuses one by whoever asked for it."""

from django.db import migrations

SEPARATION = """
CREATE FUNCTION refuse_own_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.decided_by_id IS NOT NULL AND EXISTS (
        SELECT 1
        FROM approvals_gate AS gate
        JOIN orchestrator_run AS run ON run.id = gate.run_id
        WHERE gate.id = NEW.gate_id AND NEW.decided_by_id IN (gate.requested_by_id, run.started_by_id)
    ) THEN
        RAISE EXCEPTION 'user % asked for gate % and may not decide it', NEW.decided_by_id, NEW.gate_id
            USING ERRCODE = 'OR091', HINT = 'Someone else must decide.';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_own_request BEFORE INSERT ON approvals_decision FOR EACH ROW EXECUTE FUNCTION refuse_own_request();
"""
SEPARATION_DROP = """
DROP TRIGGER refuse_own_request ON approvals_decision;
DROP FUNCTION refuse_own_request();
"""
APPEND_ONLY_DROP = """
DROP TRIGGER refuse_change ON approvals_decision;
DROP TRIGGER refuse_truncate ON approvals_decision;
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial"), ("orchestrator", "0002_event_log")]

    operations = [
        migrations.RunSQL("SELECT make_append_only('approvals_decision')", APPEND_ONLY_DROP),
        migrations.RunSQL(SEPARATION, SEPARATION_DROP),
    ]
