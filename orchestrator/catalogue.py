"""What a definition may name: agents that this process has loaded or the database knows, and published workflows.

Web processes load no agents (models and data would cost them hundreds of megabytes), so they know them by their rows.
"""

from collections.abc import Sequence
from typing import Final

from agents import registry
from agents.models import Agent, AgentVersion
from agents.specs import AgentSpec
from orchestrator.definitions.waits import Callee
from orchestrator.engine.lanes import BLOCKING, lane_for
from orchestrator.engine.plans import plan_of
from orchestrator.models import Workflow


class Catalogue:
    """Implements `definitions.agents.AgentCatalogue`."""

    def find(self, name: str, version: int | None = None) -> AgentSpec | AgentVersion | None:
        """One version of an agent, the newest for None."""
        return registry.find(name, version) or self._row(name, version)

    def names(self) -> Sequence[str]:
        """All names, sorted."""
        return sorted({*registry.names(), *Agent.objects.values_list("name", flat=True)})

    def workflow(self, name: str) -> Callee | None:
        """What a workflow's current version takes and gives; None if there is none to run."""
        version = Workflow.objects.filter(name=name).values_list("current_version", flat=True).first()
        if version is None:
            return None
        plan = plan_of(version)
        return Callee(plan.input_schema, tuple(plan.outputs))

    def _row(self, name: str, version: int | None) -> AgentVersion | None:
        versions = AgentVersion.objects.filter(agent__name=name).order_by("-number")
        return versions.first() if version is None else versions.filter(number=version).first()


default: Final = Catalogue()


def lane_of(agent: str, version: int | None, lane: str) -> str:
    """The lane of a step: in the pool that it names, if any, the one of its agent's isolation."""
    spec = default.find(agent, version) if agent else None
    return lane_for(spec.isolation, lane) if spec is not None and lane != BLOCKING else lane
