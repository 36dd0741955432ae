DROP FUNCTION grant_event_log;
