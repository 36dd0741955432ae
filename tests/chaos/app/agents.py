"""Agents that take their time, kill their process or touch the world; each writes down what it does."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from agents.budgets import AMPLE
from agents.registry import agent
from agents.types import Json
from orchestrator.engine import work

OPEN: dict[str, Json] = {"type": "object"}
if os.environ.get("CHAOS_RELEASE") == "old":  # this process is a worker of a release before there were maps
    del work._OTHER_KINDS["map"]


def record(what: str, ctx: Any) -> None:
    """Add one line to the record, whole or not at all."""
    line = json.dumps(
        {
            "what": what,
            "key": ctx.key,
            "attempt": ctx.attempt,
            "pid": os.getpid(),
            "parent": os.getppid(),
            "at": time.time(),
        }
    )
    handle = os.open(Path(os.environ["WATCHKEEPER_DATA"]) / "record", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line.encode() + b"\n")
    os.close(handle)


@agent(name="chaos-slow", version=1, title="Slow", input=OPEN, output=OPEN, capabilities=[], budget=AMPLE)
async def slow(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Take some seconds."""
    record("start", ctx)
    await asyncio.sleep(float(input.get("seconds", 0)))
    record("end", ctx)
    return {"attempt": ctx.attempt, "pid": os.getpid()}


@agent(name="chaos-killer", version=1, title="Killer", input=OPEN, output=OPEN, capabilities=[])
async def killer(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Kill the process it runs in, in the first `times` attempts."""
    record("start", ctx)
    if ctx.attempt <= input["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"attempt": ctx.attempt}


@agent(name="chaos-effect", version=1, title="Effect", input=OPEN, output=OPEN, capabilities=[])
async def effect(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Change the world once."""

    async def charge() -> Json:
        record("charge", ctx)
        if input.get("die") and ctx.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"charged": ctx.key}

    return {"receipt": await ctx.once("charge", charge)}


@agent(name="chaos-payer", version=1, title="Payer", input=OPEN, output=OPEN, capabilities=[])
async def payer(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Pay at a provider that knows what it was sent; the first time, die before its answer is heard."""

    async def pay() -> Json:
        record("paid", ctx)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    async def ask_the_provider() -> Json:
        lines = (Path(os.environ["WATCHKEEPER_DATA"]) / "record").read_text().splitlines()
        known = [found for found in map(json.loads, lines) if (found["what"], found["key"]) == ("paid", ctx.key)]
        return {"receipt": known[0]["key"]} if known else None

    return {"paid": await ctx.once("payment", pay, reconcile=ask_the_provider)}
