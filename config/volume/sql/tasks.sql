-- Tasks as the engine leaves them, from the steps of their version.
INSERT INTO orchestrator_task (
    id, run_id, workflow_id, version_id, key, kind, agent_id, status, lane, priority, virtual_start, held, limited,
    suspect, pending, fed, need, successors, attempt, failures, losses, revision, wait_for, note,
    ready_at, started_at, ended_at, input, output, confidence, error)
SELECT (r.run << 20) | s.index, r.run, f.workflow, f.version, s.key, s.kind, s.agent_id, t.status, s.lane, 0, 0, false, false,
       false, t.pending, t.fed, s.need, s.successors, t.attempt, 0, 0, 0, t.wait_for, '',
       CASE WHEN t.attempt > 0 THEN r.began + t.began * r.pace + CASE WHEN t.late THEN r.waited ELSE interval '0' END END,
       CASE WHEN t.attempt > 0 THEN r.began + t.began * r.pace + CASE WHEN t.late THEN r.waited ELSE interval '0' END END,
       CASE WHEN t.status IN ('blocked', 'waiting') THEN NULL WHEN t.attempt = 0 THEN r.ended
            ELSE r.began + t.ended * r.pace + CASE WHEN t.late OR r.settled IS NOT NULL AND s.key = 'weigh' THEN r.waited
                                                   ELSE interval '0' END END,
       CASE WHEN t.attempt > 0 THEN jsonb_build_object('you', s.key, 'does', 'done') END,
       CASE WHEN t.attempt > 0 THEN jsonb_build_object('text', s.key || ': ' || r.incident || ' was looked at, nothing is missing.') END,
       CASE WHEN t.attempt > 0 THEN 0.5 + (r.n %% 50) / 100.0 END,
       CASE WHEN t.status = 'failed' THEN jsonb_build_object('code', 'rejected', 'message', 'A person said no.') END
  FROM volume_run r
  JOIN volume_flow f USING (flow)
  JOIN volume_task t USING (flow, fate)
  JOIN orchestrator_step s ON s.version_id = f.version AND s.key = t.key
 WHERE r.n >= %(first)s AND r.n < %(end)s
 ORDER BY 1
