"""What messages need of whoever runs agents: their events, their conditions, and how sleepers are woken.

This app knows no runs and no event log; settings name the module that does (MESSAGE_ENGINE).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from django.conf import settings

from agents.messaging.envelope import Envelope
from agents.types import Json


class Engine(Protocol):
    """Implemented by the module `orchestrator.messages`. Called inside the caller's transaction."""

    def tell(self, kind: str, *, actor: str, data: Mapping[str, Json]) -> None:
        """Record one fact."""
        ...

    def wake(self, readers: Sequence[str]) -> None:
        """These waiting calls (by their keys) may have a message now; once this commits they look."""
        ...

    def announce(self, envelope: Envelope, *, sender: str) -> None:
        """A message went to a topic: workflows that start by themselves for it may."""
        ...

    def flaw(self, condition: str) -> str | None:
        """What is wrong with a CEL condition over `message`, in words; None if it can be used."""
        ...

    def holds(self, condition: str, message: Mapping[str, Any]) -> bool:
        """Whether the condition holds. What cannot be told raises ConditionFailed."""
        ...


class ConditionFailed(Exception):
    """A condition gave no answer: its words say why."""


@cache
def engine() -> Engine:
    """The configured engine."""
    return cast("Engine", import_module(settings.MESSAGE_ENGINE))
