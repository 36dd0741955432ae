"""How much machinery a case deserves, by its complexity: one agent, a lead with specialists, or all of them."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.context import AgentContext
from agents.registry import agent

type Route = Literal["single_agent", "hierarchical_2_level", "full_multi_agent"]

SINGLE_BELOW: Final = 0.3
FULL_FROM: Final = 0.7


class Case(BaseModel):
    """How complex a case is, and where this workflow draws the lines."""

    model_config = ConfigDict(extra="forbid")
    complexity: float = Field(ge=0, le=1, description="From 0, one plain question, to 1.")
    single_below: float = Field(SINGLE_BELOW, ge=0, le=1, description="Below this one agent does it alone.")
    full_from: float = Field(FULL_FROM, ge=0, le=1, description="From here on all agents take part.")
    fall_back: bool = Field(False, description="One agent does it alone, however complex it is.")

    @model_validator(mode="after")
    def _in_order(self) -> "Case":
        if self.single_below > self.full_from:
            raise ValueError("single_below must not be above full_from")
        return self


class Routed(BaseModel):
    """The way that the case takes, and why."""

    route: Route
    reason: str


def route(complexity: float, *, single_below: float = SINGLE_BELOW, full_from: float = FULL_FROM) -> Route:
    """The way for a complexity from 0 to 1: a line belongs to what lies above it."""
    if complexity < single_below:
        return "single_agent"
    return "hierarchical_2_level" if complexity < full_from else "full_multi_agent"


@agent(
    "complexity-router",
    input=Case,
    output=Routed,
    title="Complexity router",
    capabilities=["route"],
    tags=["coordination"],
    budget={"documents": 10_000, "tokens": 1, "minutes": 60, "calls": 10_000},
)
async def complexity_router(case: Case, ctx: AgentContext) -> Routed:
    """Choose how many agents a case deserves. Its rule is `route`; a conditional step after it takes the way."""
    if case.fall_back:
        return Routed(route="single_agent", reason="falls back to a single agent")
    chosen = route(case.complexity, single_below=case.single_below, full_from=case.full_from)
    lines = f"single below {case.single_below:g}, all from {case.full_from:g}"
    return Routed(route=chosen, reason=f"complexity {case.complexity:g}: {lines}")
