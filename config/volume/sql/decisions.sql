-- Who decided the gates that are settled.
INSERT INTO approvals_decision (id, gate_id, verdict, decided_by_id, via, note, gate_version, seal, checked, decided_at)
SELECT r.decision, r.gate, CASE r.fate WHEN 'rejected' THEN 'reject' ELSE 'approve' END, p.person, 'browser',
       CASE r.fate WHEN 'rejected' THEN 'The records do not match.' ELSE '' END, 1, s.seal, '{}', r.settled
  FROM volume_run r
  JOIN volume_person p USING (place)
  JOIN volume_subject s USING (flow, variant)
 WHERE r.n >= %(first)s AND r.n < %(end)s AND r.decision IS NOT NULL
 ORDER BY r.n
