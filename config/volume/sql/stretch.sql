-- The ids that the events of these runs have: from the first, up to the end.
SELECT min(r.first_event), max(r.first_event + r.events) FROM volume_run r WHERE r.n >= %(first)s AND r.n < %(end)s
