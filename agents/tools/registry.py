"""The tools this process knows, by name and version. No database: sandboxes import this."""

import importlib.util
from collections.abc import Callable
from typing import Unpack

from django.apps import apps

from agents.contracts import ContractSource
from agents.errors import DuplicateAgent, ToolUnknown
from agents.tools.specs import ToolFacts, ToolFunction, ToolSpec, build_tool


class ToolRegistry:
    """Tools by name and version. One per process; tests make their own."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, ToolSpec]] = {}

    def add(self, spec: ToolSpec) -> None:
        """Register one version. The same function seen twice is one tool; another one is refused."""
        versions = self._versions.setdefault(spec.name, {})
        known = versions.get(spec.version)
        if known is not None and known.place != spec.place:
            raise DuplicateAgent(name=spec.name, version=spec.version, first=known.place, second=spec.place)
        versions[spec.version] = spec

    def get(self, name: str, version: int | None = None) -> ToolSpec:
        """That version, or the newest for None; ToolUnknown otherwise."""
        versions = self._versions.get(name, {}) if isinstance(name, str) else {}
        spec = versions.get(version if version is not None else max(versions, default=0))
        if spec is None:
            raise ToolUnknown(tool=str(name)[:100])
        return spec

    def specs(self) -> list[ToolSpec]:
        """Every version of every tool, by name and number."""
        return [
            self._versions[name][number] for name in sorted(self._versions) for number in sorted(self._versions[name])
        ]

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._versions)


default = ToolRegistry()


def tool[F: ToolFunction](
    name: str,
    *,
    input: ContractSource,  # noqa: A002 - the word of every definition and page
    output: ContractSource,
    registry: ToolRegistry = default,
    **facts: Unpack[ToolFacts],
) -> Callable[[F], F]:
    """Register `fn(arguments, ctx) -> result` as a tool; the function itself is returned unchanged.

    With a pydantic model as `input` the function receives an instance. Async functions run on the loop, others in a
    thread, and those with a `sandbox` in a process of their own for each call.
    """

    def register(function: F) -> F:
        registry.add(build_tool(name, function, takes=input, gives=output, facts=facts))
        return function

    return register


def autodiscover() -> None:
    """Import the `tools` module of every installed app; the agents' own are in `agents.library`."""
    for app in apps.get_app_configs():
        name = f"{app.name}.tools"
        if app.name != "agents" and importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
