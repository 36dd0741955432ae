"""Digests: the week for a team, the month for executives, the quarter for a board (docs/metrics.md)."""
