DROP FUNCTION add_spawned_v1;
