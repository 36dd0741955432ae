-- release_budget_v1: let tasks of one run that wait for a budget go on, as far as p_free reaches. The caller holds the run's lock.
--
-- The first of them may use what is left whatever it needs, if no other call is under way (p_alone); where nothing is left it
-- goes on to ask people, unless another has asked them. A task whose use nobody
-- knew is let go with three others: by now somebody has seen what such a call uses.
CREATE FUNCTION release_budget_v1(p_budget bigint, p_run bigint, p_free float8, p_alone boolean) RETURNS int
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_count int;
    v_asked boolean := EXISTS (
        SELECT 1 FROM orchestrator_task t
         WHERE t.status = 'waiting' AND t.wait_for = 'gate' AND (t.state ->> 'budget')::bigint = p_budget
           AND (t.state ->> 'attempt')::int = t.attempt);
BEGIN
    WITH waiting AS (
        SELECT t.id, coalesce(sum((t.state ->> 'need')::float8) OVER w, 0) AS needed, row_number() OVER w AS place,
               (t.state ->> 'need') IS NULL AS unknown
          FROM orchestrator_task t
         WHERE t.status = 'waiting' AND t.wait_for = 'budget' AND t.id >= p_run << 20 AND t.id < (p_run + 1) << 20
           AND (t.state ->> 'budget')::bigint = p_budget
        WINDOW w AS (ORDER BY t.priority DESC, t.id)
    ), released AS (
        UPDATE orchestrator_task t
           SET status = 'ready', wait_for = '', state = NULL, ready_at = clock_timestamp(), shift = NULL,
               held = (SELECT r.status = 'paused' FROM orchestrator_run r WHERE r.id = t.run_id)
          FROM waiting w
         WHERE t.id = w.id AND CASE WHEN w.place = 1 AND p_alone THEN p_free > 0 OR NOT v_asked
                                    WHEN w.unknown THEN p_free > 0 AND w.place <= 4
                                    ELSE w.needed <= p_free END
        RETURNING t.id, t.run_id, t.attempt
    ), told AS (
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        SELECT r.run_id, r.id, 'task.returned', 'engine', jsonb_build_object('attempt', r.attempt, 'reason', 'budget') FROM released r
    )
    SELECT count(*) INTO v_count FROM released;
    IF v_count > 0 THEN
        PERFORM wake_idle_v1();
    END IF;
    RETURN v_count;
END $$;
