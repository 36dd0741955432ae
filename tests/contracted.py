"""Python agents of the adapters' contract test, in a module that a child process imports quickly."""

import asyncio
import time
from typing import Any

from agents.budgets import AMPLE
from agents.errors import Business, Permanent, Transient
from agents.registry import agent
from agents.types import NeedsApproval
from tests.remote_agent import ACTION

INPUT = {"type": "object", "properties": {"do": {"type": "string"}}, "required": ["do"], "additionalProperties": False}
OUTPUT = {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]}
SCHEMAS: Any = {"input": INPUT, "output": OUTPUT}
keys: dict[str, list[str]] = {}


def fail(do: str) -> None:
    """Raise what `do` names."""
    kinds: dict[str, Any] = {"transient": Transient, "permanent": Permanent, "business": Business}
    if do in kinds:
        raise kinds[do](f"it is {do}", code="told", retry_after=0.01)


def does(given: dict[str, Any], ctx: Any, wait: Any) -> Any:
    """What Python agents do."""
    keys.setdefault(given["do"], []).append(ctx.key)
    match given["do"]:
        case "breach":
            return {"said": 5}
        case "slow":
            wait()
        case "ask" if ctx.approval(ACTION) is None:
            return NeedsApproval(ACTION, "it is money", {"pay": 5}, resume=True)
        case "transient" if ctx.attempt > 1:
            return {"said": "transient"}
        case do:
            fail(do)
    return {"said": given["do"]}


@agent("contract-loop", **SCHEMAS, budget=AMPLE)
async def loop(given: dict[str, Any], ctx: Any) -> Any:
    if given["do"] == "slow":
        await asyncio.sleep(60)
    return does(given, ctx, lambda: None)


@agent("contract-thread", **SCHEMAS, isolation="thread", budget=AMPLE)
def thread(given: dict[str, Any], ctx: Any) -> Any:
    return does(given, ctx, lambda: time.sleep(3))


@agent("contract-process", **SCHEMAS, isolation="process", budget=AMPLE)
def process(given: dict[str, Any], ctx: Any) -> Any:
    return does(given, ctx, lambda: time.sleep(60))
