DROP FUNCTION make_event_month(timestamptz);
