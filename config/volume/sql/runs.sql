-- Runs: what was asked for, and how they ended.
INSERT INTO orchestrator_run (
    id, workflow_id, version_id, title, status, input, correlation_id, priority, weight, virtual_finish,
    total, remaining, failed, error, started_at, ended_at)
SELECT r.run, f.workflow, f.version, f.title || ' ' || r.incident, r.status,
       jsonb_build_object('subject', 'case-' || lpad(r.variant::text, 3, '0'), 'incident_id', r.incident,
                          'amount', CASE WHEN r.gate IS NULL THEN 250.0 ELSE 1000.0 + 37.5 * (r.variant + 1) END),
       'volume-' || r.incident, 0, 1, 0, f.size, r.remaining, r.failed,
       CASE WHEN r.failed > 0 THEN jsonb_build_object('code', 'rejected', 'step', 'weigh', 'message', 'A person said no.') END,
       r.began, r.ended
  FROM volume_run r
  JOIN volume_flow f USING (flow)
 WHERE r.n >= %(first)s AND r.n < %(end)s
 ORDER BY r.n
