"""Puts a stub in the place of every agent this worker knows: the same contracts, sampled answers, the drill's faults.

Imported by `agents.registry.autodiscover`, after all other agents, in workers that a rehearsal starts.
"""

import os
import signal
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from agents import on_demand
from agents.errors import ContractViolation, Transient
from agents.registry import default
from agents.specs import AgentSpec
from agents.types import AgentFunction, Completed, Json
from config.rehearsal.faults import Drill, under_way
from config.rehearsal.sampling import sample


def stub_of(spec: AgentSpec) -> AgentFunction:
    """A function that answers as the contract of `spec` promises, unless the drill hits the call."""
    sampled = sample(spec.output_schema)
    answer = sampled if isinstance(sampled, dict) else {}

    async def stub(given: Any, ctx: Any) -> Completed:
        drill = under_way()
        if drill.hits(ctx.key, ctx.attempt, spec.name):
            _meet_the_fault(drill)
        if spec.config.get("pure"):  # a stand-in's contract is open: only it knows what its answer looks like
            return Completed(output=spec.function(given, ctx), confidence=0.9)
        return Completed(output=_echoing(spec, given, answer), confidence=0.9)

    return stub


def _echoing(spec: AgentSpec, given: Any, answer: dict[str, Json]) -> dict[str, Json]:
    """The answer with fields of the input's names taken from it, as agents pass things on, where that fits."""
    values = given.model_dump(mode="json") if isinstance(given, BaseModel) else dict(given)
    for name in answer.keys() & values.keys():
        candidate = {**answer, name: values[name]}
        with suppress(ContractViolation):
            spec.output.check(candidate)
            answer = candidate
    return answer


def _meet_the_fault(drill: Drill) -> None:
    """An error, or the death of this process."""
    match drill.kind:
        case "llm_timeout":
            raise TimeoutError("rehearsed: the model did not answer in time")
        case "tool_failure" | "outage":
            raise ConnectionError("rehearsed: the tool's server answered 503")
        case "worker_loss":
            os.kill(os.getpid(), signal.SIGKILL)
    raise Transient("rehearsed: what the agent remembers is damaged", code="corrupted_memory")


on_demand.load_all()  # an agent that is loaded later would be the real one
for _spec in default.specs():
    default.put(replace(_spec, function=stub_of(_spec), is_async=True, isolation="loop"))
