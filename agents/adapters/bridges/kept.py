"""What a bridge keeps of a framework's own state between attempts: in the run's state, so in PostgreSQL.

Values of the run's state are small; what is kept here is compressed and written in parts. The index is written last, so
that a worker's death leaves the version before.
"""

import base64
import zlib
from typing import Any, Final

import orjson

from agents.context import AgentContext
from agents.errors import Permanent
from agents.types import Json

_PART: Final = 60_000  # characters; a value of the run's state may have 65,536 bytes
_MOST_PARTS: Final = 32


class Kept:
    """One framework's state for one task; forgotten when a reviewer sends the work back."""

    def __init__(self, ctx: AgentContext, name: str) -> None:
        self._ctx = ctx
        self._name = name
        self._turn = 0

    async def load(self) -> Any:
        """What was saved last, or None."""
        index: Any = await self._get(self._name)
        if not index or index["key"] != self._ctx.key:
            return None
        self._turn = index["turn"]
        parts = [await self._get(f"{self._name}-{self._turn % 2}-{part}") for part in range(index["parts"])]
        return orjson.loads(_unpacked("".join(str(part) for part in parts)))

    async def save(self, value: Any) -> None:
        """Keep a JSON value. Raises Permanent when it is too large."""
        text = base64.b85encode(zlib.compress(orjson.dumps(value))).decode()
        parts = [text[at : at + _PART] for at in range(0, len(text), _PART)]
        if len(parts) > _MOST_PARTS:
            message = f"The agent's own state has more than {_PART * _MOST_PARTS:,} characters; keep less in it."
            raise Permanent(message, code="state_too_large")
        self._turn += 1
        for number, part in enumerate(parts):
            await self._ctx.state.put(f"{self._name}-{self._turn % 2}-{number}", part)
        index: dict[str, Json] = {"key": self._ctx.key, "turn": self._turn, "parts": len(parts)}
        await self._ctx.state.put(self._name, index)

    async def _get(self, key: str) -> Any:
        found = await self._ctx.state.get(key)
        return found.value if found else None


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b85decode(text))
