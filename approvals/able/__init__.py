"""Keeping people able to oversee: hidden checks, own judgement first, measures, second looks, and their minutes.

Nothing in here settles a gate: checks and second looks are rows of their own that release nothing.
"""
