"""Patterns by name: those of `builtin`, and those that an installed app registers in its AppConfig.ready()."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from agents.types import Json
from orchestrator.patterns.moves import Move, Turn


@dataclass(frozen=True, slots=True)
class Help:
    """What people should know before they choose a pattern; one or two sentences each, for the help page."""

    when: str
    strengths: str
    limits: str
    complexity: str
    observability: str
    governance: str
    tooling: str
    template: str = ""  # a workflow that runs as it stands, in YAML


class Pattern(Protocol):
    """One way to coordinate agents. `look` must be a function of its turn alone."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def options(self) -> dict[str, Any]:
        """JSON Schema of the step's `options`."""
        ...

    @property
    def help(self) -> Help: ...

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """The agents that these options name, for publishing to check."""
        ...

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """What would not work, as (field of the options, what is wrong, remedy), beyond what the schema says."""
        ...

    def look(self, turn: Turn) -> Move:
        """What happens next."""
        ...


@dataclass
class _Registry:
    patterns: dict[str, Pattern] = field(default_factory=dict)


_known = _Registry()


def register(pattern: Pattern) -> Pattern:
    """Make a pattern known by its name. Raises ValueError when another one has it."""
    held = _known.patterns.setdefault(pattern.name, pattern)
    if held is not pattern and type(held) is not type(pattern):
        raise ValueError(f"pattern {pattern.name} is registered already, by {type(held).__module__}")
    return pattern


def find(name: str) -> Pattern | None:
    """The pattern of that name."""
    _load()
    return _known.patterns.get(name)


def names() -> list[str]:
    """All names, sorted."""
    _load()
    return sorted(_known.patterns)


@cache
def _load() -> None:
    # Not at the top: the modules that it imports need this one.
    importlib.import_module("orchestrator.patterns.builtin")


def template(name: str) -> str:
    """The YAML of `workflows/<name>.yaml` beside this module, for `Help.template`."""
    return (Path(__file__).parent / "workflows" / f"{name}.yaml").read_text(encoding="utf-8")
