"""A sandboxed tool that tries to get out. Its module needs no Django: a sandbox has none."""

import os
import time
from pathlib import Path
from typing import Any

from agents.tools.registry import tool
from agents.tools.specs import Sandbox

OPEN = {"type": "object"}


@tool("test.sandboxed", input=OPEN, output=OPEN, sandbox=Sandbox(seconds=60, cpu=2, memory=400, disk=1))
def sandboxed(arguments: dict[str, Any], ctx: Any) -> Any:
    """Try to get out."""
    return TRICKS[arguments["do"]](arguments, ctx)


def _read(arguments: dict[str, Any], ctx: Any) -> Any:
    return {"text": Path(arguments["path"]).read_text()[:100]}


def _write(arguments: dict[str, Any], ctx: Any) -> Any:
    Path(arguments.get("path") or f"{ctx.scratch}/note").write_text("x" * int(arguments.get("size", 1)))
    return {"written": True}


def _connect(arguments: dict[str, Any], ctx: Any) -> Any:
    import socket

    with socket.create_connection(("127.0.0.1", arguments["port"]), timeout=1):
        return {"connected": True}


def _spin(arguments: dict[str, Any], ctx: Any) -> Any:
    while True:
        pass


def _sleep(arguments: dict[str, Any], ctx: Any) -> Any:
    time.sleep(60)


def _eat(arguments: dict[str, Any], ctx: Any) -> Any:
    return {"size": len(bytearray(1024 * 1024 * 1024))}


def _spawn(arguments: dict[str, Any], ctx: Any) -> Any:
    """Leave a grandchild behind that has left the session."""
    if os.fork() == 0:
        os.setsid()
        while True:
            time.sleep(0.05)
    time.sleep(60)


def _env(arguments: dict[str, Any], ctx: Any) -> Any:
    return {"names": sorted(os.environ)}


TRICKS = {"read": _read, "write": _write, "connect": _connect, "spin": _spin, "sleep": _sleep, "eat": _eat,
          "spawn": _spawn, "env": _env, "crash": lambda arguments, ctx: os.abort(),
          "echo": lambda arguments, ctx: dict(arguments)}  # fmt: skip
