-- sweep_shifts_v2: end shifts that are gone and take their tasks back. Returns the tasks that need a person (third loss).
--
-- 1. One sweeper at a time; a second one has nothing to do.
-- 2. A shift is gone when its lease has run out (hang, partition) or when two sweeps found its session lock free (process
--    dead). One look is not enough: a shift whose connection broke takes the lock again within moments; and a look counts
--    only if nothing was heard from the shift after it.
--    The start of the server freed every lock, and nobody could renew a lease before it. So a shift that has not been heard
--    since is gone only when its lock was seen free two seconds long (ten tries of `engine/connecting.py`), each of them
--    after the start; that its lease has run out meanwhile says nothing until it has had a lease's time to come back.
-- 3. Whatever still runs under an ended shift goes back, whenever it was claimed: so a claim that raced step 2 is found
--    by the next sweep. A shift that was ended and lives after all finds that out at its next heartbeat or turn.
-- A loss is blamed on the suspects among a dead shift's tasks if there are any, else on all of them. Second loss: suspect,
-- runs alone from now on. Third: waits for a person. A shift that left in order (end_reason done) is blamed for nothing.
CREATE FUNCTION sweep_shifts_v2() RETURNS TABLE (id bigint)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_lost bigint[];
    v_up CONSTANT timestamptz := pg_postmaster_start_time();
BEGIN
    IF NOT pg_try_advisory_xact_lock(7301, 2) THEN
        RETURN;
    END IF;
    UPDATE orchestrator_shift h SET suspected_at = CASE WHEN f.free THEN clock_timestamp() END
      FROM (SELECT s.id, pg_try_advisory_xact_lock(7302, s.id::int) AS free FROM orchestrator_shift s WHERE s.ended_at IS NULL) f
     WHERE h.id = f.id
       AND (f.free AND coalesce(h.suspected_at < greatest(h.renewed_at, v_up), true) OR NOT f.free AND h.suspected_at IS NOT NULL);
    UPDATE orchestrator_shift h SET ended_at = clock_timestamp(), end_reason = 'lost', idle = false
     WHERE h.ended_at IS NULL AND CASE
           WHEN h.renewed_at > v_up
           THEN h.lease_until < clock_timestamp() OR h.suspected_at < clock_timestamp() - interval '250 ms'
           ELSE v_up < clock_timestamp() - (h.lease_until - h.renewed_at) AND h.lease_until < clock_timestamp()
                OR h.suspected_at < clock_timestamp() - interval '2 s' END;

    v_lost := ARRAY(
        SELECT t.id FROM orchestrator_task t JOIN orchestrator_shift h ON h.id = t.shift
         WHERE t.status = 'running' AND h.ended_at IS NOT NULL);
    IF v_lost = '{}' THEN
        RETURN;
    END IF;
    PERFORM 1 FROM orchestrator_run r
      WHERE r.id = ANY (ARRAY(SELECT DISTINCT x >> 20 FROM unnest(v_lost) AS x)) ORDER BY r.id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH found AS (
        SELECT t.id, h.end_reason = 'lost' AND (t.suspect OR NOT bool_or(t.suspect) OVER (PARTITION BY t.shift)) AS blamed
          FROM orchestrator_task t JOIN orchestrator_shift h ON h.id = t.shift WHERE t.id = ANY (v_lost)
    ), returned AS (
        UPDATE orchestrator_task t
           SET losses = t.losses + f.blamed::int,
               suspect = t.losses + f.blamed::int >= 2,
               status = CASE WHEN t.losses + f.blamed::int >= 3 THEN 'waiting' ELSE 'ready' END,
               wait_for = CASE WHEN t.losses + f.blamed::int >= 3 THEN 'quarantine' ELSE '' END,
               agent_id = CASE WHEN t.spec ? 'chosen' THEN NULL ELSE t.agent_id END, limited = t.limited AND (t.spec ? 'chosen') IS NOT true,
               held = r.status = 'paused', ready_at = clock_timestamp()
          FROM found f, orchestrator_shift h, orchestrator_run r
         WHERE t.id = f.id AND t.status = 'running' AND h.id = t.shift AND h.ended_at IS NOT NULL AND r.id = t.run_id
        RETURNING t.id, t.run_id, t.attempt, t.shift, t.started_at, t.losses, t.status, t.lane
    ), attempts AS (
        INSERT INTO orchestrator_attempt (task_id, number, status, shift, started_at, ended_at, tokens_in, tokens_out, cost, error)
        SELECT x.id, x.attempt, 'expired', x.shift, x.started_at, clock_timestamp(), 0, 0, 0, '{"code": "worker_lost"}'
          FROM returned x
    ), events AS (
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        SELECT x.run_id, x.id, 'task.lost', 'engine',
               jsonb_build_object('attempt', x.attempt, 'shift', x.shift, 'losses', x.losses, 'quarantined', x.status = 'waiting')
          FROM returned x
    )
    SELECT x.id FROM returned x WHERE x.status = 'waiting';
    PERFORM settle_budgets_v1(array_agg(h.task), array_agg(h.attempt), array_agg(NULL::jsonb))
       FROM (SELECT DISTINCT r.task, r.attempt FROM orchestrator_reservation r WHERE r.task = ANY (v_lost)) h
     HAVING count(*) > 0;
    PERFORM wake_idle_v1();
END $$;
