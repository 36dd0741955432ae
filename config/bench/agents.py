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


class Case(BaseModel):
    """Which case a proposal is about."""

    model_config = ConfigDict(extra="forbid")
    n: int = Field(ge=0)


class Proposal(BaseModel):
    """A proposal of the size and shape that reviewers see: 3 to 4 kB."""

    summary: str
    host: str
    amount: float
    confidence: float
    steps: list[str]
    evidence: list[dict[str, str]]
    alternatives: list[dict[str, str | float]]


_TOPICS: Final = ("isolate", "refund", "publish", "restart", "approve", "escalate", "quarantine", "reimburse")


@agent("bench-proposer", title="Proposes", input=Case, output=Proposal, capabilities=["bench"], budget=AMPLE)
async def propose(given: Case, ctx: AgentContext) -> Proposal:
    """Propose something about a case; the same about the same."""
    topic, host = _TOPICS[given.n % len(_TOPICS)], f"host-{given.n:04d}"
    said = f"{topic} {host}: traffic to an address that threat intelligence lists, and logs that a person has to read"
    return Proposal(
        summary=f"We propose to {said}. " * 3,
        host=host,
        amount=12.5 + given.n,
        confidence=0.5 + (given.n % 50) / 100,
        steps=[f"Step {number}: {topic} and look at what follows within an hour" for number in range(8)],
        evidence=[
            {
                "claim": f"{host} called {number} addresses on the list",
                "source": f"log {number}",
                "quote": f"{said}; line {number}",
                "status": "verified" if number % 3 else "unsupported",
            }
            for number in range(8)
        ],
        alternatives=[{"what": f"wait {number} h", "cost": 10.0 * number, "impact": said} for number in range(3)],
    )


@agent("bench-stamp", title="Tells the time", input=_NOTHING, output=Stamp, capabilities=["bench"], budget=AMPLE)
async def stamp(given: dict[str, Json], ctx: AgentContext) -> Stamp:
    """Tell when it was called."""
    return Stamp(at_ns=time.time_ns())


if os.environ.get("BENCH_LLM_URL"):  # in the workers of the workload `llm`
    import config.bench.model_agent  # noqa: F401
