"""What came of an agent's outputs: asked of whoever knows people's decisions, which settings name.

Implemented by `approvals.labels`. The one way up for this app, like `agents.rights`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class Weighed:
    """What people did with one agent's outputs. `escalated`: those that a condition, a check or the agent itself put
    before them (not a step that always asks, nor a sample); `needless` of those were approved as they stood.
    """

    agent: str
    decided: int = 0
    overridden: int = 0  # edited, sent back or rejected
    escalated: int = 0
    needless: int = 0

    @property
    def override_ratio(self) -> float | None:
        """The share that people changed or refused; None without decisions."""
        return self.overridden / self.decided if self.decided else None

    @property
    def false_escalation_rate(self) -> float | None:
        """The share of escalations that people approved as they stood; None without any."""
        return self.needless / self.escalated if self.escalated else None


class Decisions(Protocol):
    """What is known about people's decisions."""

    def outcomes_of(self, agent: str, *, limit: int) -> list[Outcome]:
        """Outputs of this agent that claimed a confidence and that people judged, the newest first."""
        ...

    def judged(self, agent: str, *, limit: int) -> Iterable[Judged]:
        """Decisions about this agent's outputs, the newest first."""
        ...

    def weighed(self, since: datetime, *, agent: str = "") -> list[Weighed]:
        """What people did with outputs since then, of each agent that was decided on, or of one."""
        ...


MOST = 5_000


@cache
def decisions() -> Decisions:
    """The configured source."""
    return cast("Decisions", import_module(settings.DECISIONS))


def outcomes_of(agent: str) -> list[Outcome]:
    """The newest outcomes of an agent's outputs, at most MOST."""
    return decisions().outcomes_of(agent, limit=MOST)
