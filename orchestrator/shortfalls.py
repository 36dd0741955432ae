"""Maps that will ask for more documents than their agents may take in a run: said before the run halts there."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agents.models import Agent
from orchestrator import budget_rows
from orchestrator.budget_rows import Row
from orchestrator.crowds import TaskFact
from orchestrator.states import TaskStatus

_YET_TO_START = frozenset({TaskStatus.BLOCKED, TaskStatus.READY})


@dataclass(frozen=True, slots=True)
class Shortfall:
    """An agent, how many calls a run's maps and patterns have yet to make of it, and the documents it has left."""

    agent: str
    calls: int
    left: int


def ahead(tasks: Sequence[TaskFact], budgets: Sequence[Row]) -> tuple[Shortfall, ...]:
    """Those of a run that lives; each call takes one document at least. Two queries at most for any agent."""
    calls = Counter(
        task.agent_id for task in tasks if task.parent is not None and task.agent_id and task.status in _YET_TO_START
    )
    found = []
    for agent in Agent.objects.filter(pk__in=[pk for pk, count in calls.items() if count > 1]).order_by("name"):
        left = _left(agent, budgets)
        if left is not None and calls[agent.pk] > left:
            found.append(Shortfall(agent.name, calls[agent.pk], int(left)))
    return tuple(found)


def _left(agent: Agent, budgets: Sequence[Row]) -> float | None:
    """Of its documents in this run; no call has drawn on them yet if the run has no row. None: no limit."""
    mine = [row for row in budgets if (row.scope, row.of, row.resource) == ("run_agent", agent.name, "documents")]
    rows = mine or [row for row in budget_rows.own(agent) if row.resource == "documents"]
    return min((row.left for row in rows), default=None)
