-- Gates, as `Gatekeeper.open_gate` stores them and decisions leave them.
INSERT INTO approvals_gate (
    id, task_id, run_id, workflow_id, queue_id, step, kind, status, version, title, risk, rule, subject, seal, allowed,
    confidence, agent, agent_version, revision, barred, approvals, blind, opened_at, deadline_at, deadline_s, on_timeout,
    escalations, trail, settled_at)
SELECT r.gate, (r.run << 20) | t.index, r.run, f.workflow, f.queue, 'weigh', 'approval',
       CASE r.fate WHEN 'approved' THEN 'approved' WHEN 'rejected' THEN 'rejected' ELSE 'open' END,
       CASE r.fate WHEN 'open' THEN 1 ELSE 2 END, s.subject ->> 'title', s.subject ->> 'risk', s.subject ->> 'rule',
       s.subject, s.seal, ARRAY['approve', 'request_changes', 'reject'], (s.subject ->> 'confidence')::float8,
       s.subject ->> 'agent', 1, 0, '{}', 1, false, r.opened,
       CASE r.fate WHEN 'open' THEN clock_timestamp() + (1 + r.n %% 95) * interval '1 hour' ELSE r.opened + interval '72 hours' END,
       259200, 'escalate', 0, '{}', r.settled
  FROM volume_run r
  JOIN volume_flow f USING (flow)
  JOIN volume_subject s USING (flow, variant)
  JOIN orchestrator_step t ON t.version_id = f.version AND t.key = 'weigh'
 WHERE r.n >= %(first)s AND r.n < %(end)s AND r.gate IS NOT NULL
 ORDER BY r.n
