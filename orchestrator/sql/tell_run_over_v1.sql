-- tell_run_over_v1: a run that has a deadline has ended, whoever ended it: a timer that is due now takes back what people are asked
-- about its deadline.
--
-- A trigger, so that no way of ending a run can forget it; the timer commits with the end.
CREATE FUNCTION tell_run_over_v1() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orchestrator_timer (kind, ref, due_at) VALUES ('run_over', NEW.id, clock_timestamp());
    PERFORM pg_notify('wk_timers', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell_run_over AFTER UPDATE OF status ON orchestrator_run FOR EACH ROW
    WHEN (NEW.deadline_at IS NOT NULL AND NEW.status IN ('succeeded', 'partial', 'failed', 'cancelled') AND OLD.status <> NEW.status)
    EXECUTE FUNCTION tell_run_over_v1();
