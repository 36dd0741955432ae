"""Tools of ours for a language model: pydantic-ai tools that call through `ctx.tools`, so policies hold for models too.

A model is told what was refused and why, and may try something else; a call that waits for people ends the attempt.
Where people's data left as tokens, tools get the data, and what they answer leaves as tokens again.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from pydantic_ai import Tool

from agents.context import AgentContext
from agents.errors import Business, Permanent, ToolNeedsApproval, ToolRefused
from agents.tools.registry import ToolRegistry, default
from agents.types import Json


def model_tools(ctx: AgentContext, names: Sequence[str], *, registry: ToolRegistry = default) -> list[Tool[None]]:
    """The named tools, for one call of a model. Providers allow no dots in names: `crm.read` is `crm__read` there."""
    found: list[Tool[None]] = []
    for name in names:
        spec = registry.get(name)
        schema = spec.input.schema
        call = partial(_call, ctx, name)
        found.append(
            Tool.from_schema(call, name=name.replace(".", "__"), description=spec.description, json_schema=schema)
        )
    return found


async def _call(ctx: AgentContext, name: str, **arguments: Any) -> str:
    answer: Json
    try:
        answer = await ctx.tools.call(name, ctx.veil.reveal(arguments) if ctx.veil else arguments)
    except ToolNeedsApproval:
        raise
    except (ToolRefused, Permanent, Business) as refused:
        answer = {"error": refused.code, "message": str(refused)}
    return orjson.dumps(ctx.veil.conceal(answer) if ctx.veil else answer).decode()
