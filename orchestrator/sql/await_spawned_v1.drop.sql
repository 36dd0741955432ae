DROP FUNCTION await_spawned_v1;
