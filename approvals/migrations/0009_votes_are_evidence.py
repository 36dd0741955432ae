"""Votes are evidence like decisions; and no decision stands that has a hand in its subject, or too few votes."""

from django.db import migrations

FILL = """
UPDATE approvals_gate AS gate SET barred = array_remove(ARRAY[gate.requested_by_id, run.started_by_id]::bigint[], NULL)
FROM orchestrator_run AS run WHERE run.id = gate.run_id AND gate.status = 'open'
"""

SEPARATION = """
CREATE FUNCTION has_a_hand(who bigint, wanted bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1
        FROM approvals_gate AS gate
        JOIN orchestrator_run AS run ON run.id = gate.run_id
        LEFT JOIN approvals_profile AS profile ON profile.user_id = who
        WHERE gate.id = wanted
        AND ARRAY[who, coalesce(profile.same_as_id, who)]::bigint[]
            && (gate.barred || ARRAY[gate.requested_by_id, run.started_by_id]::bigint[])
    )
$$;
CREATE OR REPLACE FUNCTION refuse_own_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.decided_by_id IS NOT NULL AND has_a_hand(NEW.decided_by_id, NEW.gate_id) THEN
        RAISE EXCEPTION 'user % asked for gate % or had a hand in it and may not decide it',
            NEW.decided_by_id, NEW.gate_id USING ERRCODE = 'OR091', HINT = 'Someone else must decide.';
    END IF;
    IF NEW.verdict IN ('approve', 'edit', 'retry', 'skip', 'complete') AND (
        SELECT count(DISTINCT vote.person) FROM approvals_vote AS vote
        WHERE vote.gate_id = NEW.gate_id AND vote.seal = NEW.seal
        AND vote.verdict NOT IN ('edit', 'request_changes', 'reject', 'terminate')
        AND (vote.lapses_at IS NULL OR vote.lapses_at > clock_timestamp() - interval '1 minute')
    ) < (SELECT gate.approvals FROM approvals_gate AS gate WHERE gate.id = NEW.gate_id AND gate.approvals > 1) THEN
        RAISE EXCEPTION 'gate % needs more people than have approved it', NEW.gate_id
            USING ERRCODE = 'OR092', HINT = 'Everybody who is needed must vote.';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION refuse_own_vote() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF has_a_hand(NEW.voter_id, NEW.gate_id) THEN
        RAISE EXCEPTION 'user % had a hand in gate % and has no vote', NEW.voter_id, NEW.gate_id
            USING ERRCODE = 'OR091', HINT = 'Someone else must vote.';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_own_vote BEFORE INSERT ON approvals_vote FOR EACH ROW EXECUTE FUNCTION refuse_own_vote();
"""
SEPARATION_DROP = """
DROP TRIGGER refuse_own_vote ON approvals_vote;
DROP FUNCTION refuse_own_vote();
CREATE OR REPLACE FUNCTION refuse_own_request() RETURNS trigger LANGUAGE plpgsql AS $$
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
DROP FUNCTION has_a_hand(bigint, bigint);
"""
APPEND_ONLY_DROP = """
DROP TRIGGER refuse_change ON approvals_vote;
DROP TRIGGER refuse_truncate ON approvals_vote;
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0008_votes")]

    operations = [
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL("SELECT make_append_only('approvals_vote')", APPEND_ONLY_DROP),
        migrations.RunSQL(SEPARATION, SEPARATION_DROP),
    ]
