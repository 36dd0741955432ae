-- The log. Ids are worked out, not drawn, so that an event's place in its run's story is its place in the log.
INSERT INTO orchestrator_event (id, run_id, task_id, kind, at, actor, data) OVERRIDING SYSTEM VALUE
SELECT r.first_event + l.seq, r.run, (r.run << 20) | l.step, l.kind,
       r.began + l.seq * r.pace + CASE WHEN l.late THEN r.waited ELSE interval '0' END,
       CASE l.actor WHEN 'person' THEN 'user:' || p.name WHEN 'shift' THEN 'shift:1' ELSE l.actor END,
       CASE WHEN l.data IS NOT NULL THEN l.data ELSE CASE l.kind
           WHEN 'run.started' THEN jsonb_build_object('tasks', f.size, 'version', f.version, 'workflow', f.workflow)
           WHEN 'gate.opened' THEN jsonb_build_object('gate', r.gate, 'kind', 'approval', 'risk', s.subject ->> 'risk',
                                                      'seal', s.seal, 'queue', f.queue_name)
           WHEN 'task.waiting' THEN jsonb_build_object('gate', r.gate, 'rule', s.subject ->> 'rule', 'attempt', 1)
           WHEN 'gate.decided' THEN jsonb_build_object(
               'via', 'browser', 'gate', r.gate, 'seal', s.seal, 'edited', false, 'version', 1, 'decision', r.decision,
               'verdict', CASE r.fate WHEN 'rejected' THEN 'reject' ELSE 'approve' END)
       END END
  FROM volume_run r
  JOIN volume_flow f USING (flow)
  JOIN volume_line l USING (flow, fate)
  JOIN volume_person p USING (place)
  JOIN volume_subject s USING (flow, variant)
 WHERE r.n >= %(first)s AND r.n < %(end)s
 ORDER BY 1
