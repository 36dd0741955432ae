"""What came of an agent's outputs: asked of whoever knows people's decisions, which settings name.

Implemented by `approvals.labels`. The one way up for this app, like `agents.rights`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from django.conf import settings

from agents.types import Json


@dataclass(frozen=True, slots=True)
class Outcome:
    """One output that a person has judged: what its agent claimed (0-1), and whether it stood as it was."""

    claimed: float
    right: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """One decision as a case: what the agent was given and put out, and what the person made of it."""

    input: dict[str, Json]
    output: dict[str, Json]
    expected: dict[str, Json] | None  # the output as it should have been, where the person gave it
    verdict: str
    agent_version: int | None
    provenance: dict[str, Json] = field(default_factory=dict)


class Decisions(Protocol):
    """What is known about people's decisions."""

    def outcomes_of(self, agent: str, *, limit: int) -> list[Outcome]:
        """Outputs of this agent that claimed a confidence and that people judged, the newest first."""
        ...

    def judged(self, agent: str, *, limit: int) -> Iterable[Judged]:
        """Decisions about this agent's outputs, the newest first."""
        ...


MOST = 5_000


@cache
def decisions() -> Decisions:
    """The configured source."""
    return cast("Decisions", import_module(settings.DECISIONS))


def outcomes_of(agent: str) -> list[Outcome]:
    """The newest outcomes of an agent's outputs, at most MOST."""
    return decisions().outcomes_of(agent, limit=MOST)
