"""The one way up: what guardrails and memory ask of whoever keeps the event log. GUARD_WATCH names it."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from django.conf import settings

from agents.types import Json


class Watch(Protocol):
    """Implemented by the module `orchestrator.guarding`. Each call runs inside the caller's transaction."""

    def happened(self, kind: str, *, actor: str, data: Mapping[str, Json], key: str = "") -> None:
        """Append an event. `key` is the call's (`AgentRequest.key`), where it is about one."""
        ...

    def freeze(self, agent_id: int, *, reason: str) -> bool:
        """Start nothing of this agent until a person lets it go on; False if it is held already."""
        ...


@cache
def watch() -> Watch:
    """The configured one."""
    return cast("Watch", import_module(settings.GUARD_WATCH))
