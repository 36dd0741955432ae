DROP TRIGGER tell_parent ON orchestrator_run;
DROP FUNCTION tell_parent_v1();
