"""Which version does a task: the current one, or the canary for its share of tasks, by a hash of the task's id.

Each process keeps a view of the releases and reads it anew every second or so: a promotion and a rollback are obeyed
within that. The same task gets the same version at every attempt, as long as the release stays.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from time import monotonic
from typing import Final

from agents import registry
from agents.models import AgentRelease, AgentVersion

FRESH_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Route:
    """One agent's release. `share` in percent."""

    current: int | None
    canary: int | None = None
    share: int = 0


@dataclass(slots=True)
class View:
    """What this process knows of releases. Shared by its threads."""

    routes: Mapping[str, Route] = field(default_factory=dict)
    wanted: bool = False  # a call has looked at it since it was read
    _read_at: float = float("-inf")

    def is_stale(self, share: float = 1.0) -> bool:
        """Whether it is time to read it again; or soon, with a share of the time below 1."""
        return monotonic() - self._read_at > FRESH_SECONDS * share

    def forget(self) -> None:
        """Read it before the next call: what is known is of another database."""
        self._read_at = float("-inf")

    def read(self) -> None:
        """Read every release that names a version."""
        rows = AgentRelease.objects.values_list("agent__name", "current", "canary", "share")
        self.routes = {name: Route(current, canary, share) for name, current, canary, share in rows}
        self._read_at, self.wanted = monotonic(), False

    def version_for(self, agent: str, task: int) -> int | None:
        """The version that does this task; None: the newest that is registered.

        A canary that this process has not loaded leaves its tasks to the current version.
        """
        route = self.routes.get(agent)
        if route is None:
            return None
        is_canary = route.canary is not None and is_chosen(agent, route.canary, task, share=route.share)
        if is_canary and registry.find(agent, route.canary) is not None:
            return route.canary
        return route.current


view: Final = View()
_reading: Final = threading.Lock()


def refresh(share: float = 1.0) -> None:
    """Read the releases, unless another thread has just done so."""
    with _reading:
        if view.is_stale(share):
            view.read()


def is_chosen(agent: str, canary: int, task: int, *, share: int) -> bool:
    """Whether a task belongs to the canary's share (0-100): the same answer in every process, at every attempt."""
    digest = blake2b(f"{agent}@{canary}:{task}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % 100 < share


def in_force(agent: str) -> int | None:
    """The version that does the agent's work now, by the database; None if none is registered. For acts and pages."""
    current = AgentRelease.objects.filter(agent__name=agent).values_list("current", flat=True).first()
    if current is not None:
        return current
    return AgentVersion.objects.filter(agent__name=agent).order_by("-number").values_list("number", flat=True).first()
