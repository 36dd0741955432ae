"""The library's agents and tools in a worker: loaded when one is first needed, since few workers need many.

All of them are a tenth of a worker's memory. An agent's recorded versions say which modules have it; one that is
recorded nowhere, and a tool, may be in any of them.
"""

import asyncio
import importlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agents import registry
from agents.models import AgentVersion
from agents.tools.registry import default as tools


@dataclass(slots=True)
class _Library:
    is_loaded: bool = False


_library: Final = _Library()
_loading: Final = threading.RLock()


def may_have(agent: str) -> bool:
    """Whether an agent that this process does not know may be in the library."""
    return not _library.is_loaded and registry.find(agent) is None


async def look_for_tools(names: Iterable[str]) -> None:
    """Let this process know all tools of the library if it does not know one of these."""
    if not _library.is_loaded and any(name not in tools.names() for name in names):
        await asyncio.to_thread(load_all)


def load(agent: str) -> None:
    """Let this process know an agent of the library, all versions of it; an agent of elsewhere is not for us."""
    with _loading:
        rows = AgentVersion.objects.filter(agent__name=agent).values_list("kind", "entrypoint")
        if any(kind == "external" for kind, _ in rows):
            return
        for module in {entrypoint.partition(":")[0] for _, entrypoint in rows}:
            if module.startswith(registry.LIBRARY):
                importlib.import_module(module)
        if may_have(agent):
            load_all()


def load_all() -> None:
    """Let this process know all agents and tools of the library."""
    with _loading:
        if not _library.is_loaded:
            registry.load_library()
            _library.is_loaded = True
