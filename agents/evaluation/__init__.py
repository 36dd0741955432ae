"""Evaluating agents: datasets, suites, runs that are kept as evidence, and what compares them."""
