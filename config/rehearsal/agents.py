"""Puts a stub in the place of every agent that this worker knows.

Imported by `agents.registry.autodiscover`, after all other agents, in workers that a rehearsal starts.
"""

from dataclasses import replace

from agents import on_demand
from agents.registry import default
from config.rehearsal.stubs import stub_of

on_demand.load_all()  # an agent that is loaded later would be the real one
for _spec in default.specs():
    default.put(replace(_spec, function=stub_of(_spec), is_async=True, isolation="loop"))
