"""A model's call that waits for people: what was said is kept, and the next attempt goes on from there."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse

from agents.context import AgentContext
from agents.tools.model_tools import Rounds
from agents.types import Json


def about(text: str, facts: Mapping[str, Any], ctx: AgentContext) -> str:
    """What was said is only gone on with by the same agent, asked the same with the same instructions and tools."""
    plain: Json = ctx.veil.reveal(text) if ctx.veil else text  # tokens differ from attempt to attempt
    asked = [facts["model"], plain, facts["instructions"], sorted(facts.get("tools", ()))]
    return sha256(orjson.dumps(asked)).hexdigest()


async def recall(ctx: AgentContext, what: str) -> list[ModelMessage]:
    """What was said before people were asked, ready to go on from; empty to begin anew."""
    if ctx.desk is None or ctx.attempt < 2:
        return []
    said = await ctx.desk.recall(what)
    if said is None:
        return []
    try:
        messages = ModelMessagesTypeAdapter.validate_python(said["messages"])
    except ValidationError:
        return []  # of another release of the library
    if ctx.veil:
        ctx.veil.adopt(said["tokens"])
    ctx.tools.go_on_from(said["made"])
    return messages


async def remember(ctx: AgentContext, what: str, messages: Sequence[ModelMessage], rounds: Rounds) -> None:
    """Keep what was said, up to the answer whose calls wait for people."""
    last = next((at for at in reversed(range(len(messages))) if _calls(messages[at])), None)
    if ctx.desk is None or last is None:
        return
    said = ModelMessagesTypeAdapter.dump_python(list(messages[: last + 1]), mode="json")
    tokens = ctx.veil.kept() if ctx.veil else {}
    await ctx.desk.remember(what, {"messages": said, "made": rounds.made, "tokens": tokens})


def _calls(message: ModelMessage) -> bool:
    return isinstance(message, ModelResponse) and bool(message.tool_calls)
