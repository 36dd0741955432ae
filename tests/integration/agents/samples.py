"""Agents that run in processes and misbehave there; imported by the child under this name."""

import asyncio
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from agents.context import AgentContext
from agents.errors import Business
from agents.registry import agent
from agents.types import Completed, Json

OBJECT: dict[str, Any] = {"type": "object"}


@agent("sample-echo", input=OBJECT, output=OBJECT, isolation="process")
def echo(value: dict[str, Json], ctx: AgentContext) -> dict[str, Json]:
    """Says where it runs, and prints a lot."""
    sys.stdout.write("noise " * 1000)
    return {**value, "pid": os.getpid(), "facts": [ctx.attempt, ctx.note, ctx.key, ctx.correlation_id]}


@agent("sample-async", input=OBJECT, output=OBJECT, isolation="process")
async def later(value: dict[str, Json], ctx: AgentContext) -> Completed:
    """Async agents may run in processes too."""
    await asyncio.sleep(0)
    return Completed({"text": "a\x00"}, confidence=0.5)


@agent("sample-hang", input=OBJECT, output=OBJECT, isolation="process")
def hang(value: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Holds on to everything it can: SIGTERM is ignored and a grandchild is left behind."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    partial = Path(value["mark"] + ".part")
    partial.write_text(f"{os.getpid()} {grandchild.pid}")
    partial.rename(value["mark"])
    while True:
        time.sleep(60)


@agent("sample-misbehave", input=OBJECT, output=OBJECT, isolation="process")
def misbehave(value: dict[str, Any], ctx: AgentContext) -> Any:
    """Ends in the way it is told."""
    match value["how"]:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            sys.exit(3)
        case "os_exit":
            os._exit(0)
        case "raise":
            raise ValueError("password=hunter2")
        case "business":
            raise Business("The account is closed.", code="closed")
        case "nan":
            return {"n": math.nan}
        case "large":
            return {"text": "x" * 3_000_000}
    return None


@agent("sample-once", input=OBJECT, output=OBJECT, isolation="process")
def once(value: dict[str, Any], ctx: AgentContext) -> Any:
    """Makes the same side effect twice."""

    def send() -> Json:
        if value.get("fails"):
            raise Business("Refused.", code="refused")
        with Path(value["log"]).open("a") as log:
            log.write("sent\n")
        return {"id": 7}

    return {"results": [ctx.once_sync(value["key"], send), ctx.once_sync(value["key"], send)]}
