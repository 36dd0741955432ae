"""Agents that say what they were given, under different guards."""

from typing import Any

from pydantic import BaseModel, Field

from agents.budgets import AMPLE
from agents.errors import MemoryRefused, Permanent
from agents.registry import agent
from agents.types import Json

given: dict[str, list[dict[str, Any]]] = {}  # what each agent of this module was called with

TEXT: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}
PATIENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "diagnosis": {"type": "string", "x-tags": ["phi"]},
        "age": {"type": "integer"},
    },
}


class Told(BaseModel):
    name: str
    ssn: str = Field(json_schema_extra={"x-tags": ["pii"]})
    visits: int = Field(json_schema_extra={"x-tags": ["phi"]})


def _note(name: str, value: dict[str, Any]) -> dict[str, Json]:
    given.setdefault(name, []).append(dict(value))
    return dict(value)


@agent("guard-plain", input=TEXT, output={"type": "object"}, budget=AMPLE)
async def plain(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Declares nothing but its contract."""
    return _note("guard-plain", value)


@agent(
    "guard-nested",
    input={
        "type": "object",
        "properties": {
            "customer": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}
        },
    },
    output={"type": "object"},
    budget=AMPLE,
)
async def nested(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Takes a customer's name and nothing else of them."""
    return _note("guard-nested", value)


@agent("guard-blind", input=TEXT, output=TEXT, budget=AMPLE, guard={"hides": ["pii", "pci"]})
async def blind(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Sees no tagged data, and says some all the same if told to."""
    _note("guard-blind", value)
    say = {"card": "4111 1111 1111 1111", "key": "AKIAIOSFODNN7EXAMPLE"}.get(value.get("text", ""), "fine")
    return {"text": say}


@agent("guard-clinic", input=PATIENT, output=PATIENT, budget=AMPLE, guard={"sees": ["phi"]})
async def clinic(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Sees health data, and its output holds some."""
    return _note("guard-clinic", value)


@agent("guard-office", input=PATIENT, output={"type": "object"}, budget=AMPLE, guard={"sees": []})
async def office(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Its contract names a diagnosis, which it may not see."""
    return _note("guard-office", value)


@agent("guard-source", input={"type": "object"}, output=Told, budget=AMPLE)
async def source(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Its output is tagged, so it is sealed."""
    return {"name": "Jane", "ssn": "123-45-6789", "visits": 3}


@agent(
    "guard-reader", input={"type": "object"}, output={"type": "object"}, budget=AMPLE, guard={"sees": ["pii", "phi"]}
)
async def reader(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Gets sealed data opened."""
    _note("guard-reader", value)
    return {"length": len(str(value.get("ssn"))), "visits": value.get("visits")}


@agent(
    "guard-claims",
    input={"type": "object", "properties": {"customer": {"type": "object", "properties": {"id": {"type": "string"}}}}},
    output={"type": "object"},
    budget=AMPLE,
    guard={"purpose": "claims", "subject": "customer.id"},
)
async def claims(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Works on a person's data with their consent only."""
    return _note("guard-claims", value)


@agent("guard-far", kind="llm", isolation="loop", input=TEXT, output=TEXT, budget=AMPLE)
async def far(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Stands for a model elsewhere: what it is given has left this system. It answers in other words, and shouts."""
    _note("guard-far", value)
    return {"text": f"DEAR {value['text'].upper()}"}


@agent("guard-sloppy", input=TEXT, output=Told, budget=AMPLE, guard={"sees": ["pii", "pci"]})
async def sloppy(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Breaks its contract with the very data that is tagged, or fails with it."""
    if value["text"].startswith("raise"):
        raise Permanent(f"cannot handle {value['text']}")
    return {"name": "x", "ssn": 123456789, "visits": value["text"]}


@agent("guard-memo", isolation="process", input={"type": "object"}, output={"type": "object"}, budget=AMPLE)
def memo(value: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Remembers and recalls in a process of its own; what was refused is in the output."""
    try:
        number = ctx.wait_for(ctx.memory.remember(str(value["text"]), layer=str(value["layer"])))
    except MemoryRefused as refused:
        return {"refused": refused.code}
    found = ctx.wait_for(ctx.memory.recall(layer=value["layer"]))
    return {"number": number, "known": [one.text for one in found]}
