"""`ctx.state` and `ctx.checkpoint`: what an agent reads of its run and asks to be kept. No Django.

An agent changes nothing itself: each call is one request to the engine, which checks that the attempt still stands,
whose the key is and which version the agent has seen, and writes it together with its event.

Verbs of the port `agents.types.Memory`: `get {key}`, `keys {prefix}`, `put {key, value, expected, reason}`,
`delete {key, expected, reason}`, `checkpoint {name, notes}`, `last_checkpoint {}`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.types import Json, Memory


@dataclass(frozen=True, slots=True)
class StateValue:
    """The newest version of a key and who wrote it."""

    value: Json
    version: int
    writer: str


class AgentState:
    """The run's shared state as one call sees it.

    A name without a dot is the step's own ("draft" of step `write` is `write.draft`); others may be read by their whole
    name. A step writes its own names, and `shared.<name>` where its definition lists that name in `shares`.
    """

    __slots__ = ("_memory",)

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    async def get(self, key: str) -> StateValue | None:
        """The newest version of a key, or None if there is none (any more)."""
        found: Any = await self._ask("get", {"key": key})
        return StateValue(**found) if found else None

    async def keys(self, prefix: str = "") -> list[str]:
        """Whole names that begin with `prefix`, in order; at most 1,000."""
        found: Any = await self._ask("keys", {"prefix": prefix})
        return found or []

    async def put(self, key: str, value: Json, *, expected: int | None = None, reason: str = "") -> int:
        """Write one more version and return its number.

        `expected` is the version that you have read (0: there is none yet); None overwrites whichever there is.
        Raises StateStale when somebody has written since, and StateRefused for a key that is not this step's or a value
        that cannot be kept. The same write again, by a later attempt too, is written once.
        """
        given: dict[str, Json] = {"key": key, "value": value, "expected": expected, "reason": reason}
        version: Any = await self._ask("put", given)
        return version or 0

    async def delete(self, key: str, *, expected: int | None = None, reason: str = "") -> int:
        """Write a version that says the key is gone; its history stays. Raises as `put`."""
        version: Any = await self._ask("delete", {"key": key, "expected": expected, "reason": reason})
        return version or 0

    async def _ask(self, verb: str, given: dict[str, Json]) -> Json:
        return await self._memory.ask(verb, given) if self._memory else None


def checkpoint_given(
    name: str,
    decisions: Sequence[dict[str, Json]],
    completion: dict[str, Json] | None,
    findings: Sequence[dict[str, Json]],
    next_steps: Sequence[str],
) -> dict[str, Json]:
    """What the verb `checkpoint` takes."""
    notes: dict[str, Json] = {
        "decisions": list(decisions),
        "completion": completion or {},
        "findings": list(findings),
        "next_steps": list(next_steps),
    }
    return {"name": name, "notes": notes}
