"""Figures from the event log: rollups, what they say, and what people ask of them (docs/metrics.md)."""
