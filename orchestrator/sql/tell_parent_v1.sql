-- tell_parent_v1: a run that another one started has ended, whoever ended it: a timer that is due now wakes the task that waits.
--
-- A trigger, so that no way of ending a run can forget it; the timer commits with the end. The parent's run is not touched
-- here: its lock would be taken after the child's, against the order.
CREATE FUNCTION tell_parent_v1() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orchestrator_timer (kind, ref, due_at) VALUES ('run_ended', NEW.id, clock_timestamp());
    PERFORM pg_notify('wk_timers', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell_parent AFTER UPDATE OF status ON orchestrator_run FOR EACH ROW
    WHEN (NEW.parent_task IS NOT NULL AND NEW.status IN ('succeeded', 'partial', 'failed', 'cancelled') AND OLD.status <> NEW.status)
    EXECUTE FUNCTION tell_parent_v1();
