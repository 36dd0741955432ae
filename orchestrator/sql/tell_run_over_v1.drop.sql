DROP TRIGGER IF EXISTS tell_run_over ON orchestrator_run;
DROP FUNCTION IF EXISTS tell_run_over_v1();
