"""Whether a version of an agent fits the definitions that are in use: what publishing asks, asked of that version.

Every definition whose current version names the agent is compiled twice: with the version that works now, and with the
one that would. What only the second refuses is the new version's doing. A step that pins a version is left alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from agents.models import AgentVersion
from agents.specs import AgentSpec
from orchestrator.catalogue import default as catalogue
from orchestrator.definitions.compile import compile_plan
from orchestrator.definitions.errors import DefinitionError
from orchestrator.definitions.load import load
from orchestrator.definitions.waits import Callee
from orchestrator.models import Workflow

MOST: Final = 500  # definitions that name one agent; no installation has as many


@dataclass(frozen=True, slots=True)
class Misfit:
    """A workflow that would not do with another version of an agent, and the first reason."""

    workflow: str
    step: str
    why: str


@dataclass(frozen=True, slots=True)
class _With:
    """The catalogue, in which one agent is one of its versions wherever none is pinned."""

    agent: str
    row: AgentVersion
    workflow: Callable[[str], Callee | None] = catalogue.workflow

    def find(self, name: str, version: int | None = None) -> AgentSpec | AgentVersion | None:
        """One version of an agent."""
        return self.row if name == self.agent and version is None else catalogue.find(name, version)

    def names(self) -> Sequence[str]:
        """All names, sorted."""
        return catalogue.names()


def misfits(agent: str, *, now: int, new: int) -> list[Misfit]:
    """The workflows in use that version `new` of an agent does not fit although version `now` does, by name."""
    rows = {row.number: row for row in AgentVersion.objects.filter(agent__name=agent, number__in=(now, new))}
    if new not in rows:
        return []
    naming = Workflow.objects.filter(current_version__source__contains=agent).order_by("name")
    found = []
    for name, source in naming.values_list("name", "current_version__source")[:MOST]:
        known = _problems(source, _With(agent, rows[now])) if now in rows else set()
        fresh = _problems(source, _With(agent, rows[new])) - known
        if fresh:
            step, why = min(fresh)
            found.append(Misfit(name, step, why))
    return found


def _problems(source: str, agents: _With) -> set[tuple[str, str]]:
    """What is wrong with a definition: (step, message)."""
    try:
        compile_plan(load(source, file=""), catalogue=agents, workflows=agents.workflow)
    except DefinitionError as error:
        return {(problem.step, f"{problem.field} {problem.message}".strip()) for problem in error.problems}
    return set()
