"""Undoes calls of tools: the agent of the tasks that a run's rollback makes for them."""

from typing import Any, Final

from agents import on_demand
from agents.budgets import AMPLE
from agents.context import AgentContext
from agents.errors import Permanent
from agents.registry import agent
from agents.tools import running
from agents.tools.registry import default as tools
from agents.tools.running import ToolContext
from agents.types import Json

AGENT: Final = "tool-undo"
_CALL = {
    "type": "object",
    "required": ["tool", "version", "arguments", "key"],
    "properties": {
        "tool": {"type": "string"},
        "version": {"type": "integer"},
        "arguments": {"type": "object"},
        "scopes": {"type": "array", "items": {"type": "string"}},
        "key": {"type": "string"},
        "result": {},
    },
}
_CALLS = {"type": "object", "required": ["calls"], "properties": {"calls": {"type": "array", "items": _CALL}}}
_DONE = {"type": "object", "properties": {"undone": {"type": "array", "items": {"type": "string"}}}}


@agent(AGENT, input=_CALLS, output=_DONE, title="Undo calls of tools", capabilities=["undo"], budget=AMPLE)
async def undo(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Call each tool's own `compensate`, the last call first; one that is done is not done again."""
    await on_demand.look_for_tools([call["tool"] for call in given["calls"]])
    undone: list[Json] = []
    for call in given["calls"]:
        await ctx.once(f"undo:{call['key']}", lambda call=call: _undo(call, ctx))  # type: ignore[misc]
        undone.append(f"{call['tool']} v{call['version']}")
    return {"undone": undone}


async def _undo(call: dict[str, Any], ctx: AgentContext) -> Json:
    spec = tools.get(call["tool"], call["version"])
    if spec.compensate is None:
        raise Permanent(f"{call['tool']} has nothing that undoes it; undo it by hand.", code="nothing_undoes")
    key = f"{ctx.key}.{call['key'].removeprefix('tool:')}"
    about = ToolContext(
        AGENT, spec.name, tuple(call.get("scopes", ())), key, ctx.correlation_id, secret_names=spec.secrets
    )
    return await running.compensate(spec, call["arguments"], call.get("result"), about)
