"""What stands between a step's data and its agent: context contracts, data tags, secrets, injections, filters.

`screen` compiles what one version of an agent declares; `guarding` applies it around each call. See docs/guardrails.md.
"""
