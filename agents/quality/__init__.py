"""Judging what agents put out: checks, scores, calibrated confidence, agreement. The checks know no Django."""
