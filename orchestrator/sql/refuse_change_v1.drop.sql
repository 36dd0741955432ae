DROP FUNCTION make_append_only;
DROP FUNCTION refuse_change CASCADE;  -- the triggers of partitions made since
