"""Stubs for agents: the same contracts, sampled answers, the drill's faults."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from inspect import isawaitable
from typing import Any, Final

from pydantic import BaseModel

from agents.errors import ContractViolation, Transient
from agents.registry import default
from agents.specs import AgentSpec
from agents.types import AgentFunction, Completed, Json
from config.rehearsal.faults import Drill, under_way
from config.rehearsal.sampling import sample
from orchestrator.models import Task

# These touch nothing, and no sample could stand for their answers: contracts that are open, plans that name agents.
BY_RULES: Final = (
    "agents.library.sample_patterns:",
    "agents.library.planning:plan_by_rules",
    "agents.library.teamwork:divide",
)


def stub_of(spec: AgentSpec) -> AgentFunction:
    """A function that answers as the contract of `spec` promises, unless the drill hits the call."""

    async def stub(given: Any, ctx: Any) -> Completed:
        drill = under_way()
        if drill.hits(ctx.key, ctx.attempt, spec.name):
            _meet_the_fault(drill)
        if answers_itself(spec):
            found = spec.function(given, ctx)
            found = await found if isawaitable(found) else found
            found = found.model_dump(mode="json") if isinstance(found, BaseModel) else found
            return found if isinstance(found, Completed) else Completed(output=found, confidence=0.9)
        stood_in_for = await _whom_it_stands_in_for(ctx.key) if is_open(spec) else None
        return Completed(output=answer_of(stood_in_for or spec, given), confidence=0.9)

    return stub


def answers_itself(spec: AgentSpec) -> bool:
    """Whether an agent is its own stub: only it knows what its answer looks like."""
    return bool(spec.config.get("pure")) or spec.entrypoint.startswith(BY_RULES)


def is_open(spec: AgentSpec) -> bool:
    """Whether a contract says nothing of what the answer looks like."""
    return not any(spec.output_schema.get(word) for word in ("properties", "$ref", "anyOf", "oneOf", "allOf"))


def answer_of(spec: AgentSpec, given: Any) -> dict[str, Json]:
    """The sampled answer with fields of the input's names taken from it, as agents pass things on, where that fits."""
    sampled = sample(spec.output_schema)
    answer = sampled if isinstance(sampled, dict) else {}
    values: Mapping[str, Json] = given.model_dump(mode="json") if isinstance(given, BaseModel) else dict(given)
    for name in answer.keys() & values.keys():
        candidate = {**answer, name: values[name]}
        with suppress(ContractViolation):
            spec.output.check(candidate)
            answer = candidate
    return answer


async def _whom_it_stands_in_for(key: str) -> AgentSpec | None:
    """The agent that the task was given to first: whoever stands in for it owes what its contract promises."""
    spec = await Task.objects.filter(pk=int(key.split("-")[1])).values_list("spec", flat=True).afirst()
    return default.find((spec or {}).get("fell_back", {}).get("from", ""))


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
