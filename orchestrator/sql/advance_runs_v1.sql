-- advance_runs_v1: what follows from tasks that have just ended. The caller holds the locks of their runs.
--
-- 1. Count down the successors; one whose last dependency ended becomes ready, or skipped if nothing fed it. A join of
--    need > 0 becomes ready as soon as so many dependencies succeeded, one of need -1 when all have ended, however.
-- 2. Skipped tasks have successors too: repeat until nothing more is skipped.
-- 3. Update the runs' counters; a run with nothing remaining has ended: partly, if steps that its result needs failed; as it was
--    going to before its compensation, if that was all that remained.
-- The plan is pinned for growing tables: task rows are found by `id = ANY (array)`, which is always an index condition, and
-- joined to their batch by hash; single rows by scalar subqueries. A plan cached while the tables were tiny stays right, so it
-- is made once a session: left to itself PostgreSQL plans small batches anew each time, at twice the cost of running them.
-- p_feeds[i] says whether ended task i feeds its successors (it succeeded). Returns how many became ready.
CREATE FUNCTION advance_runs_v1(p_tasks bigint[], p_feeds boolean[]) RETURNS int
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_tasks bigint[] := p_tasks;
    v_feeds boolean[] := p_feeds;
    v_ended bigint[] := p_tasks;
    v_ready bigint[] := '{}';
    v_round_ready bigint[];
    v_reasons text[];
    v_runs bigint[];
    v_over bigint[];
    v_hits bigint[];
    v_hit_ended int[];
    v_hit_feeds int[];
    v_hit_turns bigint[];
BEGIN
    WHILE cardinality(v_tasks) > 0 LOOP
        SELECT coalesce(array_agg(h.id), '{}'), array_agg(h.ended), array_agg(h.feeds), array_agg(h.turn)
          INTO v_hits, v_hit_ended, v_hit_feeds, v_hit_turns
          FROM (SELECT (t.run_id << 20) | s.index AS id, count(*)::int AS ended,
                       count(*) FILTER (WHERE e.feeds)::int AS feeds,
                       row_number() OVER (PARTITION BY t.run_id ORDER BY s.index) AS turn
                  FROM orchestrator_task t JOIN unnest(v_tasks, v_feeds) AS e (id, feeds) ON e.id = t.id
                 CROSS JOIN LATERAL unnest(t.successors) AS s (index)
                 WHERE t.id = ANY (v_tasks)
                 GROUP BY t.run_id, s.index) h;
        WITH hits AS (
            SELECT * FROM unnest(v_hits, v_hit_ended, v_hit_feeds, v_hit_turns) AS h (id, ended, feeds, turn)
        ), moved AS (
            UPDATE orchestrator_task t
               SET pending = t.pending - h.ended,
                   fed = t.fed + h.feeds,
                   status = CASE WHEN t.need > 0 AND t.fed + h.feeds >= t.need THEN 'ready'
                                 WHEN t.pending > h.ended THEN 'blocked'
                                 WHEN t.need < 0 OR t.fed + h.feeds >= greatest(t.need, 1) THEN 'ready' ELSE 'skipped' END,
                   held = (SELECT r.status = 'paused' FROM orchestrator_run r WHERE r.id = t.run_id),
                   ready_at = CASE WHEN t.pending = h.ended OR t.need > 0 THEN clock_timestamp() END,
                   ended_at = CASE WHEN t.pending = h.ended AND t.need >= 0 AND t.fed + h.feeds < greatest(t.need, 1)
                                   THEN clock_timestamp() END,
                   virtual_start = (
                       SELECT h.turn * 1000 / r.weight + greatest(
                                  r.virtual_finish, (SELECT l.clock FROM orchestrator_lane l WHERE l.name = t.lane))
                         FROM orchestrator_run r WHERE r.id = t.run_id)
              FROM hits h
             WHERE t.id = ANY (v_hits) AND t.id = h.id AND t.status = 'blocked'
            RETURNING t.id, t.run_id, t.status, CASE WHEN t.need > 0 THEN 'too few of the steps before it succeeded'
                                                      ELSE 'nothing before it ran' END AS reason
        )
        SELECT coalesce(array_agg(m.id) FILTER (WHERE m.status = 'skipped'), '{}'),
               array_agg(m.reason) FILTER (WHERE m.status = 'skipped'),
               coalesce(array_agg(m.id) FILTER (WHERE m.status = 'ready'), '{}')
          INTO v_tasks, v_reasons, v_round_ready
          FROM moved m;
        IF cardinality(v_tasks) > 0 THEN
            INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
            SELECT k.id >> 20, k.id, 'task.skipped', 'engine', jsonb_build_object('reason', k.reason)
              FROM unnest(v_tasks, v_reasons) AS k (id, reason);
        END IF;
        v_ready := v_ready || v_round_ready;
        v_ended := v_ended || v_tasks;
        v_feeds := array_fill(false, ARRAY[cardinality(v_tasks)]);
    END LOOP;

    v_runs := ARRAY(SELECT DISTINCT e >> 20 FROM unnest(v_ended) AS e);
    WITH counts AS (
        SELECT x.run_id, sum(x.ended)::int AS ended, max(x.finish) AS finish
          FROM (SELECT e >> 20 AS run_id, 1 AS ended, 0 AS finish FROM unnest(v_ended) AS e
                UNION ALL SELECT t.run_id, 0, t.virtual_start FROM orchestrator_task t WHERE t.id = ANY (v_ready)) x
         GROUP BY 1
    ), updated AS (
        UPDATE orchestrator_run r
           SET remaining = r.remaining - c.ended,
               virtual_finish = greatest(r.virtual_finish, c.finish),
               status = CASE WHEN r.remaining > c.ended THEN r.status
                             WHEN r.status = 'compensating' THEN coalesce(r.outcome ->> 'ends_as', 'failed')
                             WHEN r.outcome IS NOT NULL THEN 'partial' ELSE 'succeeded' END,
               ended_at = CASE WHEN r.remaining = c.ended THEN clock_timestamp() END
          FROM counts c WHERE r.id = ANY (v_runs) AND r.id = c.run_id
        RETURNING r.id, r.remaining
    )
    SELECT array_agg(u.id) INTO v_over FROM updated u WHERE u.remaining = 0;
    IF v_over IS NOT NULL THEN
        INSERT INTO orchestrator_event (run_id, kind, actor, data)
        SELECT r.id, 'run.' || CASE r.status WHEN 'partial' THEN 'partly_succeeded' ELSE r.status END, 'engine',
               CASE r.status WHEN 'failed' THEN jsonb_build_object(
                                 'step', r.error ->> 'step', 'code', r.error ->> 'code', 'compensated', true)
                             WHEN 'cancelled' THEN jsonb_build_object('reason', r.outcome ->> 'reason', 'compensated', true)
                             ELSE jsonb_build_object('tasks', r.total, 'failed', r.failed) END
          FROM orchestrator_run r WHERE r.id = ANY (v_over);
    END IF;

    RETURN cardinality(v_ready);
END $$;
