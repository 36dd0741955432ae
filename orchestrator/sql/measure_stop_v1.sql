-- measure_stop_v1: add what a stop did in one shift to its measured effect: tasks returned, when the last of them had
-- started and when all were cancelled, in milliseconds since the stop was set (a start before the stop is negative).
CREATE FUNCTION measure_stop_v1(p_stop bigint, p_shift bigint, p_tasks bigint[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_stopped_at timestamptz;
    v_last_start float8;
BEGIN
    SELECT s.stopped_at INTO v_stopped_at FROM orchestrator_stop s WHERE s.id = p_stop FOR NO KEY UPDATE;
    SELECT extract(epoch FROM max(t.started_at) - v_stopped_at) * 1000 INTO v_last_start
      FROM orchestrator_task t WHERE t.id = ANY (p_tasks);
    UPDATE orchestrator_stop SET effect = jsonb_build_object(
        'returned', coalesce((effect ->> 'returned')::int, 0) + cardinality(p_tasks),
        'last_start_ms', greatest((effect ->> 'last_start_ms')::float8, v_last_start),
        'all_cancelled_ms', greatest((effect ->> 'all_cancelled_ms')::float8,
                                     extract(epoch FROM clock_timestamp() - v_stopped_at) * 1000))
     WHERE id = p_stop;
    INSERT INTO orchestrator_event (kind, actor, data)
    VALUES ('stop.measured', 'shift:' || p_shift, jsonb_build_object('stop', p_stop, 'returned', cardinality(p_tasks)));
END $$;
