"""Agents that do nothing, so that what is measured is everything around them."""

import asyncio
import os
import time
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from agents.budgets import AMPLE
from agents.context import AgentContext
from agents.registry import agent
from agents.types import Json

# As JSON Schemas, like most contracts: checked on the way in and on the way out.
_NOTHING: Final[dict[str, Json]] = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 0}},
    "additionalProperties": False,
}


class Pause(BaseModel):
    """How long to wait."""

    model_config = ConfigDict(extra="forbid")
    seconds: float = Field(ge=0, le=600)


class Stamp(BaseModel):
    """When the agent's first line ran, in nanoseconds of this machine's clock."""

    model_config = ConfigDict(extra="forbid")
    at_ns: int


@agent("bench-noop", title="Does nothing", input=_NOTHING, output=_NOTHING, capabilities=["bench"], budget=AMPLE)
async def noop(given: dict[str, Json], ctx: AgentContext) -> dict[str, Json]:
    """Give back what came in."""
    return given


@agent("bench-sleep", title="Waits", input=Pause, output=Pause, capabilities=["bench"], timeout=600, budget=AMPLE)
async def sleep(given: Pause, ctx: AgentContext) -> Pause:
    """Wait, as for a model's answer."""
    await asyncio.sleep(given.seconds)
    return given


@agent("bench-stamp", title="Tells the time", input=_NOTHING, output=Stamp, capabilities=["bench"], budget=AMPLE)
async def stamp(given: dict[str, Json], ctx: AgentContext) -> Stamp:
    """Tell when it was called."""
    return Stamp(at_ns=time.time_ns())


if os.environ.get("BENCH_LLM_URL"):  # in the workers of the workload `llm`
    import config.bench.model_agent  # noqa: F401
