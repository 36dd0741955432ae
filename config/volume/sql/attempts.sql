-- An attempt for each task that was ever started; where people were asked it ended with the question.
INSERT INTO orchestrator_attempt (task_id, number, status, agent_version, started_at, ended_at, tokens_in, tokens_out, cost)
SELECT (r.run << 20) | s.index, 1, CASE WHEN t.key = 'weigh' AND r.gate IS NOT NULL THEN 'suspended' ELSE 'succeeded' END, 1,
       r.began + t.began * r.pace + CASE WHEN t.late THEN r.waited ELSE interval '0' END,
       r.began + t.ended * r.pace + CASE WHEN t.late THEN r.waited ELSE interval '0' END, 0, 0, 0
  FROM volume_run r
  JOIN volume_flow f USING (flow)
  JOIN volume_task t USING (flow, fate)
  JOIN orchestrator_step s ON s.version_id = f.version AND s.key = t.key
 WHERE r.n >= %(first)s AND r.n < %(end)s AND t.attempt > 0
 ORDER BY 1
