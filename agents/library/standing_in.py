"""What a generalist of a gallery workflow does: any step of it, by the same rules, with nothing claimed.

It stands in when a specialist is stopped or out of service. Its confidence is always 0, so that every gate that looks
at it asks a person.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from agents.context import AgentContext
from agents.errors import Permanent
from agents.types import Json

OPEN: dict[str, Json] = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Skill:
    """One step's work: the input field that tells it from the others', its input's model and its function."""

    field: str
    takes: type[BaseModel]
    do: Callable[[Any, AgentContext], BaseModel]


def stand_in(skills: Sequence[Skill], given: Mapping[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """The output of the first skill whose field is in `given`. Raises Permanent when nobody knows such a step."""
    skill = next((one for one in skills if one.field in given), None)
    if skill is None:
        raise Permanent("No step that I stand in for has such an input.", code="not_mine")
    output: dict[str, Json] = skill.do(skill.takes.model_validate(dict(given)), ctx).model_dump(mode="json")
    return {**output, "confidence": 0.0} if "confidence" in output else output
