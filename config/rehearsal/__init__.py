"""Rehearsal: a workflow run on a database and workers of its own, with stub agents and injected faults."""
