"""`ctx.memory`: what an agent remembers beyond its call. No Django.

Verbs of the port `agents.types.Memory`: `remember`, `recall`, `forget`, `summarise`, with what their methods take.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agents.types import Json, Memory

type Layer = Literal["short", "task", "long"]
type Source = Literal["agent", "tool", "person"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """One thing remembered. `covers`: first and last item of a summary; `score` 0-1 where meaning was asked for."""

    id: int
    text: str
    layer: str
    source: str
    writer: str
    created_at: str
    covers: tuple[int, int] | None = None
    score: float | None = None


class AgentMemory:
    """The memory of this agent, in this workflow: other agents, and this one in other workflows, have their own.

    `short` is the run's and gone after 30 minutes without use, `task` is the task's for all its attempts, `long` is
    found by meaning in later runs. `subject` is the id of the person it is about: such things are recalled only where
    that person is named again, and erased with them.
    """

    __slots__ = ("_memory",)

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    async def remember(
        self,
        text: str,
        *,
        layer: Layer = "task",
        subject: str = "",
        source: Source = "agent",
        days: float | None = None,
    ) -> int:
        """Keep a text and return its number; the same text again is kept once. `days`: less than the layer's own.

        Raises MemoryRefused: secrets and card numbers never enter, personal data only with the person's consent.
        """
        given: dict[str, Json] = {"text": text, "layer": layer, "subject": subject, "source": source, "days": days}
        number: Any = await self._ask("remember", given)
        return number or 0

    async def recall(
        self, query: str = "", *, layer: Layer | None = None, subject: str = "", limit: int = 5
    ) -> list[Remembered]:
        """What is remembered, the newest first; with a query, the nearest of long-term memory by meaning.

        Raises MemoryUnavailable when a query cannot be answered here.
        """
        given: dict[str, Json] = {"query": query, "layer": layer, "subject": subject, "limit": limit}
        found: Any = await self._ask("recall", given)
        return [Remembered(**{**row, "covers": tuple(row["covers"]) if row["covers"] else None}) for row in found or []]

    async def forget(self, *items: int) -> int:
        """Delete what this agent has kept; how many there were."""
        count: Any = await self._ask("forget", {"items": list[Json](items)})
        return count or 0

    async def summarise(self, text: str, items: Sequence[int], *, layer: Layer = "long") -> int:
        """Keep a text in the place of items, which are named as its source and are not recalled any more.

        The summary carries their tags and their person. Raises MemoryRefused, also for items of two people.
        """
        given: dict[str, Json] = {"text": text, "items": list[Json](items), "layer": layer}
        number: Any = await self._ask("summarise", given)
        return number or 0

    async def _ask(self, verb: str, given: dict[str, Json]) -> Json:
        return await self._memory.ask(verb, given) if self._memory else None
