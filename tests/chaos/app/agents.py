"""Agents that take their time, kill their process or touch the world; each writes down what it does."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

from agents.registry import agent
from agents.types import Json

OPEN: dict[str, Json] = {"type": "object"}


def record(what: str, ctx: Any) -> None:
    """Add one line to the record, whole or not at all."""
    line = json.dumps(
        {"what": what, "key": ctx.key, "attempt": ctx.attempt, "pid": os.getpid(), "parent": os.getppid()}
    )
    handle = os.open(Path(os.environ["WATCHKEEPER_DATA"]) / "record", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line.encode() + b"\n")
    os.close(handle)


@agent(name="chaos-slow", version=1, title="Slow", input=OPEN, output=OPEN, capabilities=[])
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
