"""Tools of ours for a language model: pydantic-ai tools that call through `ctx.tools`, so policies hold for models too.

A model is told what was refused and why, and may try something else; a call that waits for people ends the attempt.
Where people's data left as tokens, tools get the data, and what they answer leaves as tokens again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic_ai import RunContext, Tool

from agents.context import AgentContext
from agents.errors import Business, Permanent, ToolNeedsApproval, ToolRefused
from agents.tools.registry import ToolRegistry, default
from agents.types import Json


@dataclass(slots=True)
class Rounds:
    """Where a model's call stands between its answers: what `agents.llm` keeps while people are asked."""

    step: int = -1
    made: dict[str, int] = field(default_factory=dict)  # calls of tools before the newest answer's
    waits: bool = False  # one of them waits for people: the attempt is over

    def begin(self, step: int, ctx: AgentContext) -> None:
        """The first call of each answer notes what was called before it."""
        if step != self.step:
            self.step, self.made = step, ctx.tools.made


def model_tools(
    ctx: AgentContext, names: Sequence[str], *, rounds: Rounds | None = None, registry: ToolRegistry = default
) -> list[Tool[None]]:
    """The named tools, for one call of a model. Providers allow no dots in names: `crm.read` is `crm__read` there."""
    found: list[Tool[None]] = []
    for name in names:
        spec = registry.get(name)
        call = _caller(ctx, name, rounds or Rounds())
        made = Tool[None].from_schema(
            call,
            name=name.replace(".", "__"),
            description=spec.description,
            json_schema=spec.input.schema,
            takes_ctx=True,
            sequential=True,  # one that asks people ends the attempt: none may be cut off in the middle of an effect
        )
        found.append(made)
    return found


def _caller(ctx: AgentContext, name: str, rounds: Rounds) -> Any:
    async def call(run: RunContext[None], **arguments: Any) -> str:
        rounds.begin(run.run_step, ctx)
        try:
            return await _call(ctx, name, **arguments)
        except ToolNeedsApproval:
            rounds.waits = True
            raise

    return call


async def _call(ctx: AgentContext, name: str, **arguments: Any) -> str:
    answer: Json
    try:
        answer = await ctx.tools.call(name, ctx.veil.reveal(arguments) if ctx.veil else arguments)
    except ToolNeedsApproval:
        raise
    except (ToolRefused, Permanent, Business) as refused:
        answer = {"error": refused.code, "message": str(refused)}
    return orjson.dumps(ctx.veil.conceal(answer) if ctx.veil else answer).decode()
