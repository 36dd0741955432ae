-- Deadlines of the gates that are open.
INSERT INTO orchestrator_timer (kind, ref, due_at)
SELECT 'gate_deadline', g.id, g.deadline_at
  FROM volume_run r
  JOIN approvals_gate g ON g.id = r.gate
 WHERE r.n >= %(first)s AND r.n < %(end)s AND g.status = 'open'
