-- wait_indexes_v1: what waiting tasks need beyond Django's indexes.

-- stop_waiting, finish_waits, pages: the timers of given tasks or runs that have not fired.
CREATE INDEX timer_by_ref ON orchestrator_timer (ref, kind) WHERE fired_at IS NULL;
-- stop_waiting, task card: the runs that a task has started.
CREATE INDEX run_by_parent ON orchestrator_run (parent_task) WHERE parent_task IS NOT NULL;
-- upkeep: timers long fired.
CREATE INDEX timer_fired ON orchestrator_timer (fired_at) WHERE fired_at IS NOT NULL;
