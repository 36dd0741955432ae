-- settle_one_v2: settle_one_v1 with one look, where that took one at each lane and one at what stops claims.
--
-- It is settle_tasks_v1 for one task that succeeded, not the last of its run, with at most one step after it: what every
-- step of a chain does. The same rules on single rows: plain statements without arrays start in a third of the time.
--
-- Where no lane has anything ready, nobody is passed over: then the step after it begins here, in the statement that would make it
-- ready, under the lock and the looks of claim_lanes_v1. Of limited agents, suspects and held tasks it is left to the claim.
-- settled: false if this is for settle_tasks_v1, and nothing was changed. ready: how many became ready, the begun one among them.
-- begun: the other columns are the step after it, as a claim returns it.
CREATE FUNCTION settle_one_v2(
    p_shift bigint, p_task bigint, p_attempt smallint, p_input jsonb, p_output jsonb, p_confidence float8, p_actor text, p_facts jsonb,
    p_lanes text[],
    OUT settled boolean, OUT ready int, OUT begun boolean, OUT id bigint, OUT version_id bigint, OUT attempt smallint,
    OUT failures smallint, OUT revision smallint, OUT note text, OUT spec jsonb
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_run bigint := p_task >> 20;
    v_held boolean;
    v_weight smallint;
    v_finish bigint;
    v_remaining int;
    v_began timestamptz;
    v_ended timestamptz;
    v_successors int[];
    v_alone boolean;
    v_found boolean;
    v_idle boolean;
    v_next text;
    v_next_id bigint;
    v_start bigint;
    v_lane text;
    v_said jsonb := coalesce(p_facts, '{}') || jsonb_build_object('attempt', p_attempt);
BEGIN
    settled := false;
    begun := false;
    SELECT r.status = 'paused', r.weight, r.virtual_finish, r.remaining,
           EXISTS (SELECT 1 FROM orchestrator_breaker b WHERE b.failures > 0 OR b.state <> 'closed')
      INTO v_held, v_weight, v_finish, v_remaining, v_found
      FROM orchestrator_run r WHERE r.id = v_run FOR NO KEY UPDATE;
    IF v_remaining IS NULL OR v_remaining < 2 OR v_found THEN  -- over soon, or some agent's breaker may have to close
        RETURN;
    END IF;

    UPDATE orchestrator_task t
       SET status = 'succeeded', ended_at = clock_timestamp(), input = p_input, output = p_output, confidence = p_confidence, error = NULL
     WHERE t.id = p_task AND t.attempt = p_attempt AND starts_with(t.status, 'running') AND t.shift = p_shift
       AND cardinality(t.successors) < 2
    RETURNING t.started_at, t.ended_at, t.successors INTO v_began, v_ended, v_successors;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    settled := true;
    v_next_id := (v_run << 20) | v_successors[1];
    INSERT INTO orchestrator_attempt (
        task_id, number, status, shift, agent_version, started_at, ended_at, tokens_in, tokens_out, cost)
    VALUES (p_task, p_attempt, 'succeeded', p_shift, (p_facts ->> 'version')::int, v_began, v_ended,
            coalesce((p_facts ->> 'tokens_in')::int, 0), coalesce((p_facts ->> 'tokens_out')::int, 0),
            coalesce((p_facts ->> 'cost')::float8, 0));

    v_alone := v_successors <> '{}' AND NOT v_held AND cardinality(p_lanes) > 0;
    IF v_alone THEN
        PERFORM pg_advisory_xact_lock_shared(7301, 1);
        SELECT h.ended_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM orchestrator_stop s WHERE s.lifted_at IS NULL)
               AND NOT EXISTS (SELECT 1 FROM orchestrator_breaker b WHERE b.state <> 'closed')
               AND NOT EXISTS (SELECT 1 FROM orchestrator_task t
                                WHERE t.lane = ANY (p_lanes) AND t.status = 'ready' AND NOT t.held AND NOT t.limited AND NOT t.suspect)
               AND NOT EXISTS (SELECT 1 FROM orchestrator_task t
                                WHERE t.lane = ANY (p_lanes) AND t.status = 'ready' AND NOT t.held AND (t.limited OR t.suspect)),
               h.idle
          INTO v_alone, v_idle
          FROM orchestrator_shift h WHERE h.id = p_shift;
    END IF;

    -- advance_runs_v1, for one that feeds one. It never skips: what needs several is left to that function.
    v_found := v_successors = '{}';
    IF v_alone THEN
        UPDATE orchestrator_task t
           SET pending = t.pending - 1, fed = t.fed + 1, status = 'running', attempt = t.attempt + 1, shift = p_shift,
               held = false, ready_at = clock_timestamp(), started_at = clock_timestamp(), ended_at = NULL,
               virtual_start = 1000 / v_weight + greatest(
                   v_finish, (SELECT l.clock FROM orchestrator_lane l WHERE l.name = t.lane))
         WHERE t.id = v_next_id AND t.status = 'blocked' AND (t.need = 1 OR t.need < 1 AND t.pending = 1)
           AND NOT t.limited AND NOT t.suspect AND t.lane = ANY (p_lanes)
        RETURNING t.status, t.virtual_start, t.lane, t.id, t.version_id, t.attempt, t.failures, t.revision, t.note, t.spec
             INTO v_next, v_start, v_lane, id, version_id, attempt, failures, revision, note, spec;
        begun := FOUND;
        v_found := begun;
    END IF;
    IF NOT v_found THEN
        UPDATE orchestrator_task t
           SET pending = t.pending - 1, fed = t.fed + 1,
               status = CASE WHEN t.pending = 1 OR t.need = 1 THEN 'ready' ELSE 'blocked' END,
               held = v_held, ready_at = CASE WHEN t.pending = 1 OR t.need = 1 THEN clock_timestamp() END, ended_at = NULL,
               virtual_start = 1000 / v_weight + greatest(
                   v_finish, (SELECT l.clock FROM orchestrator_lane l WHERE l.name = t.lane))
         WHERE t.id = v_next_id AND t.status = 'blocked' AND t.need < 2
        RETURNING t.status, t.virtual_start INTO v_next, v_start;
        v_found := FOUND;
    END IF;
    IF begun THEN
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        VALUES (v_run, p_task, 'task.succeeded', p_actor, v_said),
               (v_run, id, 'task.started', 'shift:' || p_shift, jsonb_build_object('attempt', attempt));
        -- Whoever else is moving the clock right now moves it well enough.
        UPDATE orchestrator_lane l SET clock = v_start
         WHERE l.name = (SELECT n.name FROM orchestrator_lane n WHERE n.name = v_lane FOR UPDATE SKIP LOCKED) AND l.clock < v_start;
        IF v_idle THEN
            UPDATE orchestrator_shift SET idle = false
             WHERE id = (SELECT h.id FROM orchestrator_shift h WHERE h.id = p_shift AND h.idle FOR NO KEY UPDATE SKIP LOCKED);
        END IF;
    ELSE
        INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)
        VALUES (v_run, p_task, 'task.succeeded', p_actor, v_said);
    END IF;
    IF v_found THEN
        ready := coalesce((v_next <> 'blocked')::int, 0);
        -- The run's status stays as it is, and is not named: no trigger has to look at it.
        UPDATE orchestrator_run r
           SET remaining = v_remaining - 1, virtual_finish = greatest(v_finish, CASE WHEN ready = 1 THEN v_start END)
         WHERE r.id = v_run;
    ELSE  -- the step after it needs several, or does not wait any more
        ready := advance_runs_v1(ARRAY[p_task], ARRAY[true]);
    END IF;
    IF p_facts ? 'used' THEN  -- the call fell under a budget
        PERFORM settle_budgets_v1(ARRAY[p_task], ARRAY[p_attempt], ARRAY[p_facts -> 'used']);
    END IF;
END $$;
