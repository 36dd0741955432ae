-- keep_late_results_v1: results whose attempt no longer stands. Kept on the attempt's row, said by an event, never applied.
--
-- An attempt that has ended by its own word (succeeded, failed, asked people: suspended without an error) is this very end,
-- committed by a call whose answer was lost: nothing to do. Late is only what somebody else has ended.
CREATE FUNCTION keep_late_results_v1(
    p_shift bigint, p_tasks bigint[], p_attempts smallint[], p_outputs jsonb[], p_done bigint[]
) RETURNS int
LANGUAGE sql AS $$
    WITH late AS (
        SELECT g.id, g.attempt, g.output
          FROM unnest(p_tasks, p_attempts, p_outputs) AS g (id, attempt, output)
         WHERE g.id <> ALL (p_done)
           AND NOT EXISTS (SELECT 1 FROM orchestrator_attempt a
                            WHERE a.task_id = g.id AND a.number = g.attempt
                              AND (a.status IN ('succeeded', 'failed', 'late') OR a.status = 'suspended' AND a.error IS NULL))
    ), kept AS (
        INSERT INTO orchestrator_attempt (task_id, number, status, shift, ended_at, output, tokens_in, tokens_out, cost)
        SELECT l.id, l.attempt, 'late', p_shift, clock_timestamp(), l.output, 0, 0, 0 FROM late l
        ON CONFLICT (task_id, number) DO UPDATE SET status = 'late', output = excluded.output
    ), events AS (
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        SELECT l.id >> 20, l.id, 'task.late_result', 'shift:' || p_shift, jsonb_build_object('attempt', l.attempt) FROM late l
    )
    SELECT count(*)::int FROM late
$$;
