DROP FUNCTION make_event_partitions;
