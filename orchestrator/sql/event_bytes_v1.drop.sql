DROP FUNCTION event_bytes;
