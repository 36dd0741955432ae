-- engine_indexes_v1: what the engine's statements need beyond Django's indexes.

-- claim_tasks: the next ready tasks of a lane, fairest first.
CREATE INDEX task_ready ON orchestrator_task (lane, priority DESC, virtual_start, id)
    WHERE status = 'ready' AND NOT held AND NOT limited AND NOT suspect;
-- claim_limited: ready tasks of agents with limits, and suspects, per lane.
CREATE INDEX task_ready_limited ON orchestrator_task (lane, agent_id, priority DESC, virtual_start, id)
    WHERE status = 'ready' AND NOT held AND (limited OR suspect);
-- sweep, stop: what each shift runs now; claim_limited: how many an agent runs now.
CREATE INDEX task_running ON orchestrator_task (shift, agent_id) WHERE status = 'running';
-- inbox, run list: tasks that wait for a person or a timer.
CREATE INDEX task_waiting ON orchestrator_task (wait_for, id) WHERE status = 'waiting';

-- A task row is updated three times in its life; room on its page keeps those updates cheap.
ALTER TABLE orchestrator_task SET (
    fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05
);
ALTER TABLE orchestrator_run SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE orchestrator_lane SET (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE orchestrator_shift SET (fillfactor = 50, autovacuum_vacuum_threshold = 200);
