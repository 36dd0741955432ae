DROP INDEX timer_by_ref, run_by_parent, timer_fired;
