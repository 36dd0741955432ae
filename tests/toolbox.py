"""Tools that do as told, agents that call them, and policies in a line."""

import asyncio
from typing import Any

from pydantic import BaseModel

from agents.budgets import AMPLE
from agents.errors import Business, ToolRefused, Transient
from agents.library import tool_undo
from agents.policies import store
from agents.policies.view import default as view
from agents.registry import agent
from agents.tools import meter, recording, secrets
from agents.tools.registry import default as registry
from agents.tools.registry import tool
from agents.types import Json
from tests import sandboxed_tools

OPEN = {"type": "object"}
assert tool_undo.AGENT  # registered by its import
assert sandboxed_tools.TRICKS
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}
done: list[tuple[str, dict[str, Any]]] = []  # tool, arguments: what the tools below did in this process


class Amount(BaseModel):
    to: str
    amount: float


@tool("test.lookup", input=TEXT, output=OPEN, data_scopes=["customers"])
async def lookup(arguments: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Read something."""
    done.append(("lookup", arguments))
    return {"found": arguments.get("text", ""), "scopes": list(ctx.scopes)}


def preview(given: Amount, ctx: Any) -> dict[str, Json]:
    return {"would_pay": given.amount}


def take_back(given: Amount, result: Any, ctx: Any) -> dict[str, Json]:
    done.append(("take_back", {**given.model_dump(), "receipt": result["receipt"]}))
    return {"taken_back": True}


@tool("test.pay", input=Amount, output=OPEN, risk="high", dry_run=preview, compensate=take_back, data_scopes=["money"])
def pay(given: Amount, ctx: Any) -> dict[str, Json]:
    """Pay somebody."""
    done.append(("pay", given.model_dump()))
    return {"receipt": f"r{len(done)}", "key": ctx.key}


@tool("test.note", input=TEXT, output=OPEN, risk="medium", compensate=lambda given, result, ctx: {"gone": True})
async def note(arguments: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Write something down."""
    done.append(("note", arguments))
    return {"number": len(done)}


@tool("test.wobbly", input=OPEN, output=OPEN)
async def wobbly(arguments: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Fail as told."""
    done.append(("wobbly", arguments))
    match arguments.get("how"):
        case "transient":
            raise Transient("busy", code="busy")
        case "business":
            raise Business("the account is closed", code="closed")
        case "crash":
            raise RuntimeError(str(arguments))
    return {}


@tool("test.limited", input=OPEN, output=OPEN, rate_per_minute=2)
async def limited(arguments: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Twice a minute."""
    return {}


@tool("test.keyed", input={"type": "object", "properties": {"key": {"type": "string"}, "how": {"type": "string"}}},
      output=OPEN, secrets=["TEST_KEY"])  # fmt: skip
async def keyed(arguments: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Use a secret, badly."""
    done.append(("keyed", dict(arguments)))
    key = ctx.secret("TEST_KEY")
    if arguments.get("how") == "raise":
        raise RuntimeError(f"refused with {key}")
    if arguments.get("how") == "transient":
        raise Transient(f"refused with {key}", code="busy")
    return {"echo": arguments.get("key", ""), "own": f"key={key}", key: "as a name"}


@agent("tool-user", input=OPEN, output=OPEN, budget=AMPLE)
async def tool_user(given: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Make the calls in `calls`: [tool, arguments, ...]; what was refused is in the output unless it `fails`."""
    answers: list[Json] = []
    for name, arguments, *rest in given["calls"]:
        try:
            answers.append(await ctx.tools.call(name, arguments, **(rest[0] if rest else {})))
        except ToolRefused as refused:
            if given.get("fails"):
                raise
            answers.append(refused.code)
    if ctx.attempt <= given.get("times", 0):
        raise Transient("again", retry_after=0.01)
    if given.get("fail_at_end"):
        raise Business("no", code="no")
    return {"answers": answers, "note": ctx.note}


@agent("tool-thread", input=OPEN, output=OPEN, isolation="thread", budget=AMPLE)
def tool_thread(given: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """The same in a thread."""
    return {"answers": [ctx.tools.call_sync(name, arguments) for name, arguments in given["calls"]]}


@agent("tool-apart", input=OPEN, output=OPEN, isolation="process", budget=AMPLE)
def tool_apart(given: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """The same in a process of its own."""
    answers: list[Json] = []
    for name, arguments in given["calls"]:
        try:
            answers.append(ctx.tools.call_sync(name, arguments))
        except ToolRefused as refused:
            answers.append(refused.code)
    return {"answers": answers, "tools": [about["name"] for about in asyncio.run(ctx.tools.available())]}


def forget() -> None:
    """Start a test: nothing done or counted, no policy known, no secret resolved."""
    done.clear()
    meter.default.drain()  # what a test before has counted and not written down
    secrets.forget()
    view.forget()
    recording.sync(registry)


def policy(*entitlements: str, name: str = "test", approval: str = "{}", tests: str = "", rest: str = "") -> str:
    """A policy's text; each entitlement is the inside of a flow mapping."""
    lines = [f"policy: {name}", "two_people: false", f"approval: {approval}", "entitlements:"]
    lines += [f"  - {{id: e{number}, {text}}}" for number, text in enumerate(entitlements, 1)]
    lines += ["tests:", tests or "  - {name: strangers, agent: nobody, tool: test.lookup, expect: deny}", rest]
    return "\n".join(lines)


def allow(*entitlements: str, **how: str) -> None:
    """Put a policy in force."""
    version = store.propose(policy(*entitlements, **how), by=None, reason="test")
    if version.state != "active":
        store.activate(version, by=None)
    view.forget()
